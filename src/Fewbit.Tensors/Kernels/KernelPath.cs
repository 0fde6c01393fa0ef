using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Emission;

namespace Fewbit.Tensors.Kernels;

/// <summary>Instruction sets that kernels are written for, from the slowest to the fastest.</summary>
internal enum KernelPath
{
    /// <summary>Plain loops: the references.</summary>
    Scalar,

    /// <summary><see cref="System.Numerics.Vector{T}"/>: any processor.</summary>
    Portable,

    /// <summary>AVX2 and FMA, 256 bits.</summary>
    Avx2,

    /// <summary>AVX-512 F, BW, DQ, VL, 512 bits.</summary>
    Avx512,

    /// <summary>AVX-512 and kernels that are assembled at run time (AVX512-VNNI), where executable memory is granted.</summary>
    Emitted,
}

/// <summary>The one place where the path is chosen: FEWBIT_KERNELS=scalar|portable|avx2|avx512|emitted, else the best that this machine has.</summary>
internal static class KernelPaths
{
    private static KernelPath s_active = FromEnvironment();

    /// <summary>The fastest path of this machine.</summary>
    public static KernelPath Best => Enum.GetValues<KernelPath>().Last(IsSupported);

    /// <summary>The path that kernels take. Packed weights belong to the path that packed them.</summary>
    /// <exception cref="PlatformNotSupportedException">Set to a path that this machine cannot run.</exception>
    public static KernelPath Active
    {
        get => s_active;
        set => s_active = IsSupported(value)
            ? value
            : throw new PlatformNotSupportedException($"kernel path '{value}' does not run on this machine; the best one here is '{Best}'");
    }

    public static bool IsSupported(KernelPath path) => path switch
    {
        KernelPath.Avx2 => HasAvx2,
        KernelPath.Avx512 => HasAvx512,
        KernelPath.Emitted => HasAvx512 && EmittedKernels.IsVnniSupported && ExecutableMemory.IsGranted,
        _ => true,
    };

    private static bool HasAvx2 => Avx2.IsSupported && Fma.IsSupported;

    private static bool HasAvx512 => HasAvx2 && Avx512F.VL.IsSupported && Avx512BW.VL.IsSupported && Avx512DQ.IsSupported;

    private static KernelPath FromEnvironment()
    {
        string? name = Environment.GetEnvironmentVariable("FEWBIT_KERNELS");
        if (string.IsNullOrEmpty(name)) return Best;
        if (!Enum.TryParse(name, ignoreCase: true, out KernelPath path) || !Enum.IsDefined(path))
            throw new ArgumentException($"FEWBIT_KERNELS is '{name}', expected scalar, portable, avx2, avx512 or emitted");
        return IsSupported(path) ? path : throw new PlatformNotSupportedException($"FEWBIT_KERNELS is '{name}', which this machine cannot run; the best one here is '{Best}'");
    }
}
