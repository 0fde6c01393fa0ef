
using Fewbit.Graphs.Execution;
using Fewbit.Onnx;

namespace Fewbit.Fuzzing;

/// <summary>What a case may use. A case beyond it is a finding, as is a crash.</summary>
internal static class FuzzLimits
{
    /// <summary>Bytes of managed memory of a child: an allocation beyond it throws OutOfMemoryException.</summary>
    public const long HeapBytes = 512L << 20;

    /// <summary>Resident bytes of a child, code and unmanaged memory included, measured after each case.</summary>
    public const long ResidentBytes = 1L << 30;

    /// <summary>Processor seconds that a case may take.</summary>
    public const double CpuSeconds = 5;

    /// <summary>Seconds on the wall that a case may take, since a lock takes no processor.</summary>
    public const double WallSeconds = 60;

    /// <summary>Stack of the thread that runs cases: the least that a .NET thread has anywhere by default.</summary>
    public const int StackBytes = 1 << 20;


    /// <summary>What the models are run with.</summary>
    public static ExecutionLimits Execution { get; } = new() { MaxTensorBytes = 16L << 20, MaxWorkingBytes = 64L << 20, MaxIterations = 2000 };

    /// <summary>The same between guard pages, where no memory is given back before the case ends.</summary>
    public static ExecutionLimits Guarded { get; } = Execution with { MaxTensorBytes = 1L << 20, MaxWorkingBytes = 4L << 20, MaxIterations = 100 };

    /// <summary>What the models are read with.</summary>
    public static OnnxLoadOptions Reading { get; } = new() { MaxNodes = 10_000 };

    /// <summary>Bytes of random inputs of one model; larger ones are not made.</summary>
    public const long InputBytes = 4L << 20;
}
