using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>One phase of dx; its tiles are left as they are where it is empty.</summary>
internal struct PhaseWork
{
    public Conv2DPhase Phase;
    public TileWork Tiles;
}

/// <summary>The gradient in the image of a strided convolution. A chunk is one panel of blocks of dx and a range of rows of one image, in steps of the stride.</summary>
internal readonly unsafe struct PhasesJob : IJob
{
    private const int ChunkProducts = 1 << 20, FewChunks = 48, LeastPixels = 16;
    private const int Lanes = TileSum.Block;

    private readonly Conv2DShape _forward;
    private readonly PhaseWork* _works;
    private readonly float* _dy, _added, _dx;
    private readonly int _phases, _filled, _panels, _parts, _steps, _blocks;
    private readonly long _imageFloats, _bufferFloats, _scratchBytes;

    public PhasesJob(in Conv2DShape forward, PhaseWork* works, float* dy, float* added, float* dx)
    {
        _forward = forward;
        _works = works;
        _dy = dy;
        _added = added;
        _dx = dx;
        _phases = Conv2DPhase.Count(forward);
        while (works[_filled].Phase.IsEmpty) _filled++;
        var sum = TileSum.OfBlocks(works[_filled].Phase.Shape);
        _panels = TilePanels.Count(works[_filled].Phase.Shape, sum);
        _imageFloats = sum.ImageFloats;
        _blocks = (forward.InChannels + Lanes - 1) / Lanes;
        // A step is as many rows of dx as the stride.
        _steps = (forward.InHeight + forward.StrideHeight - 1) / forward.StrideHeight;
        long work = (long)forward.Batch * forward.OutPlane * forward.Taps * forward.GroupInChannels * forward.OutChannels;
        long chunks = Math.Max(FewChunks, work / ChunkProducts), leastSteps = (LeastPixels + works[0].Phase.Width - 1) / Math.Max(1, works[0].Phase.Width);
        _parts = (int)Math.Clamp(chunks / ((long)_panels * forward.Batch), 1, Math.Max(1, _steps / leastSteps));
        _bufferFloats = (long)((_steps + _parts - 1) / _parts) * works[0].Phase.Width * TileKernel.MostBlocks * Lanes;
        for (int i = 0; i < _phases; i++)
        {
            if (!works[i].Phase.IsEmpty) _scratchBytes = Math.Max(_scratchBytes, works[i].Tiles.ScratchBytes);
        }
        _scratchBytes = (_scratchBytes + 63) / 64 * 64;
    }

    public int Chunks => _forward.Batch * _panels * _parts;

    public void Run(int chunk)
    {
        int image = chunk / (_panels * _parts), part = chunk / _panels % _parts, panel = chunk % _panels;
        int first = (int)((long)_steps * part / _parts), end = (int)((long)_steps * (part + 1) / _parts);
        byte* scratch = (byte*)ThreadScratch.Get(_scratchBytes + _phases * _bufferFloats * sizeof(float));
        float* sums = (float*)(scratch + _scratchBytes);
        for (int i = 0; i < _phases; i++)
        {
            PhaseWork work = _works[i];
            int firstPixel = first * work.Phase.Width, endPixel = Math.Min(end, work.Phase.Height) * work.Phase.Width;
            if (work.Phase.IsEmpty || endPixel <= firstPixel) continue;
            work.Tiles.MultiplyTo(panel, (byte*)(_dy + image * _imageFloats), firstPixel, endPixel, sums + i * _bufferFloats, scratch);
        }
        TileWork tiles = _works[_filled].Tiles;
        for (int block = 0; block < tiles.BlocksOf(panel); block++) Write(image * _blocks + tiles.FirstBlockOf(panel) + block, block, first, end, sums);
    }

    /// <summary>Puts the phases of one block side by side.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Write(int plane, int block, int firstStep, int endStep, float* sums)
    {
        int strideY = _forward.StrideHeight, strideX = _forward.StrideWidth, width = _forward.InWidth;
        int endRow = Math.Min(endStep * strideY, _forward.InHeight);
        for (int row = firstStep * strideY; row < endRow; row++)
        {
            long at = ((long)plane * _forward.InHeight + row) * width * Lanes;
            for (int column = 0; column < Math.Min(strideX, width); column++)
            {
                int index = row % strideY * strideX + column;
                Conv2DPhase phase = _works[index].Phase;
                int step = row / strideY - firstStep, rows = Math.Min(endStep, phase.Height) - firstStep;
                float* from = phase.IsEmpty ? null : sums + index * _bufferFloats + ((long)block * rows + step) * phase.Width * Lanes;
                long to = at + (long)column * Lanes;
                for (int x = 0; x < phase.Width; x++, to += (long)strideX * Lanes)
                {
                    Vector512<float> sum = from == null ? default : Vector512.Load(from + (long)x * Lanes);
                    if (_added != null) sum += Vector512.Load(_added + to);
                    sum.Store(_dx + to);
                }
            }
        }
    }
}
