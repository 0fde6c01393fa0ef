using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>Depthwise convolution (one input and one output channel a group) on channel blocks: 16 channels are the lanes of a vector.</summary>
internal static unsafe class BlockedDepthwise
{
    public static bool Fits(in Conv2DShape shape) => shape.IsDepthwise && shape.OutChannels == shape.InChannels && TileSum.OfBlocks(shape).IsAddressable;

    public static long PackedWeightBytes(in Conv2DShape shape) => (long)Blocks(shape) * shape.Taps * TileSum.Block * sizeof(float);

    /// <summary>[block][tap][16].</summary>
    public static void PackWeights(in Conv2DShape shape, float* weights, float* packed)
    {
        for (int block = 0; block < Blocks(shape); block++)
        {
            for (int tap = 0; tap < shape.Taps; tap++)
            {
                for (int lane = 0; lane < TileSum.Block; lane++, packed++)
                {
                    int channel = block * TileSum.Block + lane;
                    *packed = channel < shape.OutChannels ? weights[(long)channel * shape.Taps + tap] : 0;
                }
            }
        }
    }

    public static void Run(in Conv2DShape shape, float* x, float* packed, in BlockedEpilogue epilogue, float* y)
    {
        var job = new BlockJob(shape, x, packed, epilogue, y);
        Workers.Run(shape.Batch * Blocks(shape), ref job);
    }

    private static int Blocks(in Conv2DShape shape) => (shape.InChannels + TileSum.Block - 1) / TileSum.Block;

    /// <summary>A chunk is one block of one image.</summary>
    private readonly struct BlockJob(Conv2DShape shape, float* x, float* packed, BlockedEpilogue epilogue, float* y) : IJob
    {
        private readonly TileSum _sum = TileSum.OfBlocks(shape);

        public void Run(int chunk)
        {
            int block = chunk % Blocks(shape), pixels = shape.OutPlane;
            int* offsets = (int*)ThreadScratch.Get((shape.Taps + 2) * TileSum.Block * sizeof(int));
            float* zeros = (float*)offsets + shape.Taps * TileSum.Block;
            new Span<float>(zeros, 2 * TileSum.Block).Clear();
            var task = new TileTask
            {
                Image = (byte*)(x + (long)chunk * shape.InPlane * TileSum.Block),
                Offsets = offsets,
                Zeros = zeros,
                Weights = packed + (long)block * shape.Taps * TileSum.Block,
                Y = y + (long)chunk * pixels * TileSum.Block,
                Bias = epilogue.Bias == null ? zeros : epilogue.Bias + block * TileSum.Block,
                Start = epilogue.Residual == null ? null : epilogue.Residual + (long)chunk * pixels * TileSum.Block,
                Low = epilogue.Activation.Low,
                High = epilogue.Activation.Kind == ActivationKind.Relu ? float.PositiveInfinity : epilogue.Activation.High,
                Kind = (long)epilogue.Activation.Kind,
            };
            for (int pixel = 0; pixel < pixels; pixel += TileSum.Block)
            {
                _sum.FillOffsets(pixel, offsets);
                for (int i = 0; i < Math.Min(TileSum.Block, pixels - pixel); i++) Pixel(&task, shape.Taps, i, pixel + i);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Pixel(TileTask* task, int taps, int lane, int pixel)
    {
        var sum = Vector512.Load(task->Bias);
        for (int tap = 0; tap < taps; tap++)
        {
            int offset = task->Offsets[tap * TileSum.Block + lane];
            if (offset >= 0) sum = Avx512F.FusedMultiplyAdd(Vector512.Load((float*)(task->Image + offset)), Vector512.Load(task->Weights + tap * TileSum.Block), sum);
        }
        TileKernel.Store(task, (long)pixel * TileSum.Block, sum);
    }
}
