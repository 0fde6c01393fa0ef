using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The gradient of a convolution in its image on channel blocks: dx [N, C/16, H, W, 16] from dy [N, M/16, OutHeight, OutWidth, 16] and row-major weights, which are turned round and packed in each run.</summary>
/// <remarks>
/// At stride 1 it is a convolution of dy, by Winograd's transforms where they are allowed and pay. At larger strides each phase of dx (see <see cref="Conv2DPhase"/>) is one with fewer taps;
/// a chunk computes all phases of some rows into its own memory and then writes whole rows.
/// </remarks>
internal static unsafe class BlockedConvBackwardData
{
    private const int MostPhases = 16;

    /// <summary>Whether this route exists for the forward convolution on the active path.</summary>
    public static bool Fits(in Conv2DShape forward)
    {
        if (KernelPaths.Active < KernelPath.Avx512 || forward.IsEmpty || forward.InPlane == 0 || forward.InChannels == 0 || Conv2DPhase.Count(forward) > MostPhases) return false;
        if (BlockedDepthwise.Fits(forward)) return true;
        bool isAny = false;
        for (int i = 0; i < Conv2DPhase.Count(forward); i++)
        {
            var phase = new Conv2DPhase(forward, i);
            if (phase.IsEmpty) continue;
            if (!BlockedConv2D.Fits(phase.Shape)) return false;
            isAny = true;
        }
        return isAny;
    }

    /// <summary>Shared scratch that <see cref="Run"/> needs, aligned to 64: the packed weights.</summary>
    public static long ScratchBytes(in Conv2DShape forward, bool allowsWinograd)
    {
        if (TakesWinograd(forward, allowsWinograd)) return BlockedWinogradConv2D.ScratchOnceBytes(new Conv2DPhase(forward, 0).Shape);
        if (BlockedDepthwise.Fits(forward)) return BlockedDepthwise.PackedWeightBytes(forward);
        long bytes = 0;
        for (int i = 0; i < Conv2DPhase.Count(forward); i++)
        {
            var phase = new Conv2DPhase(forward, i);
            if (!phase.IsEmpty) bytes += Aligned(BlockedConv2D.PackedWeightBytes(phase.Shape));
        }
        return bytes;
    }

    /// <summary>dx = the gradient, + added.</summary>
    /// <param name="forward">The forward convolution.</param>
    /// <param name="allowsWinograd">Whether sums may be transformed.</param>
    /// <param name="dy">[N, M/16, OutHeight, OutWidth, 16].</param>
    /// <param name="weights">[M, C / groups, kH, kW].</param>
    /// <param name="added">Shaped like dx, may be dx; null: nothing.</param>
    /// <param name="dx">[N, C/16, H, W, 16], aligned to 64 bytes; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape forward, bool allowsWinograd, float* dy, float* weights, float* added, float* dx, void* scratch)
    {
        var first = new Conv2DPhase(forward, 0);
        var epilogue = new BlockedEpilogue { Residual = added };
        float* packed = (float*)scratch;
        if (TakesWinograd(forward, allowsWinograd))
        {
            BlockedWinogradConv2D.RunOnce(first.Shape, dy, WeightView.Turned(first, weights), epilogue, dx, packed);
        }
        else if (first.IsWhole)
        {
            BlockedConv2D.PackWeights(first.Shape, WeightView.Turned(first, weights), packed);
            BlockedConv2D.Run(first.Shape, dy, packed, epilogue, dx, null);
        }
        else if (BlockedDepthwise.Fits(forward))
        {
            DepthwiseBackwardData.Run(forward, dy, weights, added, dx, packed);
        }
        else
        {
            RunPhases(forward, dy, weights, added, dx, packed);
        }
    }

    private static bool TakesWinograd(in Conv2DShape forward, bool allowsWinograd)
    {
        var phase = new Conv2DPhase(forward, 0);
        return allowsWinograd && phase.IsWhole && BlockedWinogradConv2D.Fits(phase.Shape);
    }

    private static void RunPhases(in Conv2DShape forward, float* dy, float* weights, float* added, float* dx, float* packed)
    {
        PhaseWork* works = stackalloc PhaseWork[MostPhases];
        for (int i = 0; i < Conv2DPhase.Count(forward); i++)
        {
            var phase = new Conv2DPhase(forward, i);
            works[i] = new() { Phase = phase };
            if (phase.IsEmpty) continue;
            BlockedConv2D.PackWeights(phase.Shape, WeightView.Turned(phase, weights), packed);
            works[i].Tiles = new(phase.Shape, TileSum.OfBlocks(phase.Shape), packed, default, null);
            packed += Aligned(BlockedConv2D.PackedWeightBytes(phase.Shape)) / sizeof(float);
        }
        var job = new PhasesJob(forward, works, dy, added, dx);
        Workers.Run(job.Chunks, ref job);
    }

    private static long Aligned(long bytes) => (bytes + 63) / 64 * 64;
}
