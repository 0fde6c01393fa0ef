using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Emission;

namespace Fewbit.Tensors.Kernels;

/// <summary>One tile: some output blocks by some consecutive output pixels. An emitted kernel reads it by field offsets.</summary>
internal unsafe struct TileTask
{
    /// <summary>The image of x.</summary>
    public byte* Image;

    /// <summary>Byte offsets of the segments to sum over.</summary>
    public long* Segments, SegmentsEnd;

    /// <summary>For each tap 16 byte offsets, one a pixel; negative: zeros are read instead.</summary>
    public int* Offsets, OffsetsEnd;

    /// <summary>As many zeros as a tap has steps.</summary>
    public float* Zeros;

    /// <summary>[segment][tap][step][block][16].</summary>
    public float* Weights;

    /// <summary>The first pixel of the first block; the next pixel is 16 floats on.</summary>
    public float* Y;

    /// <summary>Bytes from one block of y to the next.</summary>
    public long BlockBytes;

    /// <summary>What sums start from: one vector a block.</summary>
    public float* Bias;

    /// <summary>What is added at the start, addressed as <see cref="Y"/>: the residual, or the sums so far. Null: nothing.</summary>
    public float* Start;

    public TileEnd End;
}

/// <summary>The activation of a tile, as emitted kernels read it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly struct TileEnd(Activation activation)
{
    /// <summary>An <see cref="ActivationKind"/>; Relu is a Clip from 0 to infinity.</summary>
    private readonly long _kind = (long)activation.Kind;

    private readonly float _low = activation.Low, _high = activation.Kind == ActivationKind.Relu ? float.PositiveInfinity : activation.High;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vector512<float> Apply(Vector512<float> x) => (ActivationKind)_kind switch
    {
        ActivationKind.None => x,
        ActivationKind.LeakyRelu => Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), x * _low, x),
        // The second operand is returned where one is NaN.
        _ => Avx512F.Min(Vector512.Create(_high), Avx512F.Max(Vector512.Create(_low), x)),
    };
}

/// <summary>Computes a tile: emitted where that is allowed, else managed.</summary>
internal static unsafe class TileKernel
{
    /// <summary>Blocks of the highest tile, steps of the longest tap.</summary>
    public const int MostBlocks = 4, MostSteps = 32;

    /// <summary>Pixels of the widest tile, for each number of blocks: sums, weights of a step and one operand are the 32 registers.</summary>
    public static int MostPixels(int blocks) => blocks switch { 1 => 10, 2 => 10, 3 => 9, _ => 6 };

    public static void Run(TileTask* task, int blocks, int pixels, int steps)
    {
        if (KernelPaths.Active >= KernelPath.Emitted) EmittedTiles.Get(blocks, pixels, steps).Call(task);
        else RunManaged(task, blocks, pixels, steps);
    }

    private static void RunManaged(TileTask* task, int blocks, int pixels, int steps)
    {
        int taps = (int)((task->OffsetsEnd - task->Offsets) / TileSum.Block);
        for (int block = 0; block < blocks; block++)
        {
            for (int pixel = 0; pixel < pixels; pixel += 6)
                Run6(task, taps, steps, block, blocks, pixel, Math.Min(6, pixels - pixel));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run6(TileTask* task, int taps, int steps, int block, int blocks, int pixel, int count)
    {
        Vector512<float> s0, s1, s2, s3, s4, s5;
        s0 = s1 = s2 = s3 = s4 = s5 = Vector512.Load(task->Bias + block * TileSum.Block);
        float* w = task->Weights + block * TileSum.Block, zeros = task->Zeros;
        // Missing pixels repeat the last one, so that the loop has one form.
        int i1 = Math.Min(1, count - 1), i2 = Math.Min(2, count - 1), i3 = Math.Min(3, count - 1), i4 = Math.Min(4, count - 1), i5 = Math.Min(5, count - 1);
        for (long* segment = task->Segments; segment < task->SegmentsEnd; segment++)
        {
            byte* image = task->Image + *segment;
            int* offsets = task->Offsets + pixel;
            for (int tap = 0; tap < taps; tap++, offsets += TileSum.Block)
            {
                float* p0 = At(image, offsets[0], zeros), p1 = At(image, offsets[i1], zeros), p2 = At(image, offsets[i2], zeros);
                float* p3 = At(image, offsets[i3], zeros), p4 = At(image, offsets[i4], zeros), p5 = At(image, offsets[i5], zeros);
                for (int step = 0; step < steps; step++, w += blocks * TileSum.Block)
                {
                    var weight = Vector512.Load(w);
                    s0 = Avx512F.FusedMultiplyAdd(weight, Vector512.Create(p0[step]), s0);
                    s1 = Avx512F.FusedMultiplyAdd(weight, Vector512.Create(p1[step]), s1);
                    s2 = Avx512F.FusedMultiplyAdd(weight, Vector512.Create(p2[step]), s2);
                    s3 = Avx512F.FusedMultiplyAdd(weight, Vector512.Create(p3[step]), s3);
                    s4 = Avx512F.FusedMultiplyAdd(weight, Vector512.Create(p4[step]), s4);
                    s5 = Avx512F.FusedMultiplyAdd(weight, Vector512.Create(p5[step]), s5);
                }
            }
        }
        long at = block * task->BlockBytes / sizeof(float) + pixel * TileSum.Block;
        Store(task, at, s0);
        if (count > 1) Store(task, at + TileSum.Block, s1);
        if (count > 2) Store(task, at + 2 * TileSum.Block, s2);
        if (count > 3) Store(task, at + 3 * TileSum.Block, s3);
        if (count > 4) Store(task, at + 4 * TileSum.Block, s4);
        if (count > 5) Store(task, at + 5 * TileSum.Block, s5);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* At(byte* image, int offset, float* zeros) => offset < 0 ? zeros : (float*)(image + offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Store(TileTask* task, long at, Vector512<float> sum)
    {
        if (task->Start != null) sum += Vector512.Load(task->Start + at);
        task->End.Apply(sum).Store(task->Y + at);
    }
}
