using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Fewbit.Tensors.Kernels;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Fewbit.Tensors.Emission;

/// <summary>A depthwise convolution of a few output columns, in all rows that see the same kernel rows. An emitted kernel reads it by field offsets.</summary>
internal unsafe struct DepthwiseTask
{
    /// <summary>The first input column of the tile in the first kernel row that lies in the image.</summary>
    public byte* X;

    /// <summary>Bytes of x from one kernel row to the next, and from one output row to the next.</summary>
    public long TapRowBytes, RowBytes;

    /// <summary>[kernel row][kernel column][16].</summary>
    public float* Weights;

    /// <summary>Kernel rows, 0 and up; output rows, 1 and up.</summary>
    public long TapRows, Rows;

    public float* Y;

    /// <summary>Bytes of y, and of <see cref="Start"/>, from one output row to the next.</summary>
    public long OutRowBytes;

    /// <summary>One vector.</summary>
    public float* Bias;

    /// <summary>Added, addressed as <see cref="Y"/>. Null: nothing.</summary>
    public float* Start;

    public TileEnd End;
}

/// <summary>What a depthwise kernel is made for. Columns of padding are known when it is made, so nothing is computed for them.</summary>
/// <param name="Pixels">Output columns.</param>
/// <param name="Taps">Kernel columns.</param>
/// <param name="Stride">Input columns from one output column to the next.</param>
/// <param name="Dilation">Input columns from one kernel column to the next.</param>
/// <param name="Skipped">Columns of padding before the first input column.</param>
/// <param name="Columns">Input columns that exist.</param>
internal readonly record struct DepthwiseTile(int Pixels, int Taps, int Stride, int Dilation, int Skipped, int Columns);

/// <summary>Depthwise kernels with every sum and the weights of a kernel row in registers; each input vector is loaded once a kernel row.</summary>
internal static unsafe class EmittedDepthwise
{
    /// <summary>Sums, the weights of a kernel row and an input are held in the 30 registers that the activation leaves.</summary>
    public const int MostPixels = 16, MostTaps = 11;

    private static readonly ConcurrentDictionary<DepthwiseTile, nint> Made = new();

    public static void Run(in DepthwiseTile tile, DepthwiseTask* task)
    {
        nint code = Made.TryGetValue(tile, out nint made) ? made : Made.GetOrAdd(tile, Make);
        ((delegate* unmanaged[SuppressGCTransition]<DepthwiseTask*, void>)code)(task);
    }

    private static nint Make(DepthwiseTile tile)
    {
        void* code = ExecutableMemory.Load(EmittedKernels.Assemble(assembler => Write(assembler, tile)));
        return code != null ? (nint)code : throw new InvalidOperationException("Bug in the kernel paths: emitted kernels were chosen although executable memory is refused");
    }

    private static void Write(Assembler c, DepthwiseTile tile)
    {
        Label row = c.CreateLabel(), tapRow = c.CreateLabel(), summed = c.CreateLabel(), added = c.CreateLabel();
        EmittedKernels.SaveVectors(c);
        if (OperatingSystem.IsWindows())
        {
            c.push(rdi);
            c.mov(rdi, rcx);
        }
        c.mov(r10, Field(nameof(DepthwiseTask.X)));
        c.mov(rdx, Field(nameof(DepthwiseTask.Y)));
        c.mov(r8, Field(nameof(DepthwiseTask.Start)));
        c.Label(ref row);
        c.mov(rax, Field(nameof(DepthwiseTask.Bias)));
        c.vmovups(Register(0), __zmmword_ptr[rax]);
        for (int i = 1; i < tile.Pixels; i++) c.vmovaps(Register(i), Register(0));
        c.mov(rax, r10);
        c.mov(rcx, Field(nameof(DepthwiseTask.Weights)));
        c.mov(r9, Field(nameof(DepthwiseTask.TapRows)));
        c.test(r9, r9);
        c.je(summed);
        c.Label(ref tapRow);
        WriteTapRow(c, tile);
        c.add(rax, Field(nameof(DepthwiseTask.TapRowBytes)));
        c.add(rcx, tile.Taps * 64);
        c.dec(r9);
        c.jne(tapRow);
        c.Label(ref summed);
        c.test(r8, r8);
        c.je(added);
        for (int i = 0; i < tile.Pixels; i++) c.vaddps(Register(i), Register(i), __zmmword_ptr[r8 + 64 * i]);
        c.add(r8, Field(nameof(DepthwiseTask.OutRowBytes)));
        c.Label(ref added);
        EmittedActivation.Write(c, tile.Pixels, OffsetOf(nameof(DepthwiseTask.End)));
        for (int i = 0; i < tile.Pixels; i++) c.vmovups(__zmmword_ptr[rdx + 64 * i], Register(i));
        c.add(rdx, Field(nameof(DepthwiseTask.OutRowBytes)));
        c.add(r10, Field(nameof(DepthwiseTask.RowBytes)));
        c.dec(__qword_ptr[rdi + OffsetOf(nameof(DepthwiseTask.Rows))]);
        c.jne(row);
        if (OperatingSystem.IsWindows()) c.pop(rdi);
        EmittedKernels.RestoreVectors(c);
        c.vzeroupper();
        c.ret();
    }

    private static void WriteTapRow(Assembler c, DepthwiseTile tile)
    {
        int firstInput = tile.Pixels + tile.Taps, inputs = 32 - firstInput;
        for (int tap = 0; tap < tile.Taps; tap++) c.vmovups(Register(tile.Pixels + tap), __zmmword_ptr[rcx + 64 * tap]);
        for (int column = 0; column < tile.Columns; column++)
        {
            AssemblerRegisterZMM input = Register(firstInput + column % inputs);
            var users = new List<(int Pixel, int Tap)>();
            for (int tap = tile.Taps - 1; tap >= 0; tap--)
            {
                int at = column + tile.Skipped - tap * tile.Dilation;
                if (at >= 0 && at % tile.Stride == 0 && at / tile.Stride < tile.Pixels) users.Add((at / tile.Stride, tap));
            }
            if (users.Count == 0) continue;
            c.vmovups(input, __zmmword_ptr[rax + 64 * column]);
            foreach ((int pixel, int tap) in users) c.vfmadd231ps(Register(pixel), Register(tile.Pixels + tap), input);
        }
    }

    private static AssemblerRegisterZMM Register(int index) => new(Iced.Intel.Register.ZMM0 + index);

    private static AssemblerMemoryOperand Field(string name) => __qword_ptr[rdi + OffsetOf(name)];

    private static int OffsetOf(string name) => (int)Marshal.OffsetOf<DepthwiseTask>(name);
}
