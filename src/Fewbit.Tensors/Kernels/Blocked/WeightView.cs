using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Fewbit.Tensors.Kernels;

/// <summary>Row-major weights as the convolution that packs them sees them: as they lie, or turned round for a phase of the gradient of the image.</summary>
internal readonly unsafe struct WeightView
{
    private const int Lanes = ChannelBlocks.Width;

    private readonly float* _weights;
    private readonly int _groupOutputs, _memoryTaps, _firstTap, _rowStep, _columnStep, _kernelWidth;
    private readonly long _groupStep, _outputStep, _channelStep;

    private WeightView(in Conv2DShape shape, float* weights, int memoryTaps, long groupStep, long outputStep, long channelStep, (int First, int Row, int Column) taps)
    {
        _weights = weights;
        (_groupOutputs, _kernelWidth, _memoryTaps, _groupStep, _outputStep, _channelStep) = (shape.GroupOutChannels, shape.KernelWidth, memoryTaps, groupStep, outputStep, channelStep);
        (_firstTap, _rowStep, _columnStep) = taps;
    }

    /// <summary>w [M, C / groups, kH, kW] as the convolution itself reads it.</summary>
    public static WeightView Of(in Conv2DShape shape, float* weights) =>
        new(shape, weights, shape.Taps, (long)shape.GroupOutChannels * shape.Inner, shape.Inner, shape.Taps, (0, shape.KernelWidth, 1));

    /// <summary>The weights of one phase of the image's gradient: inputs and outputs change places, taps are in reverse.</summary>
    /// <param name="phase">The phase.</param>
    /// <param name="weights">[M, C / groups, kH, kW] of the forward convolution.</param>
    public static WeightView Turned(in Conv2DPhase phase, float* weights)
    {
        Conv2DShape forward = phase.Forward;
        return new(phase.Shape, weights, forward.Taps, (long)forward.GroupOutChannels * forward.Inner, forward.Taps, forward.Inner, (phase.LastTap, -phase.TapRowStep, -phase.TapColumnStep));
    }

    /// <summary>Taps of one pair of channels in memory, of which the view may skip some.</summary>
    public int MemoryTaps => _memoryTaps;

    /// <summary>Where a tap lies among <see cref="MemoryTaps"/>.</summary>
    public int PlaceOf(int tap) => _firstTap + tap / _kernelWidth * _rowStep + tap % _kernelWidth * _columnStep;

    /// <summary>One weight; the channel counts within the output's group.</summary>
    public float At(int output, int channel, int tap) => BaseOf(output)[channel * _channelStep + PlaceOf(tap)];

    /// <summary>Whether some outputs read the same channels.</summary>
    public bool IsOneGroup(int first, int end) => first / _groupOutputs == (end - 1) / _groupOutputs;

    /// <summary>Writes [channel][place of a tap][16 outputs] for outputs of one group; lanes behind the last are zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void CopyLanes(int firstOutput, int outputs, int firstChannel, int channels, float* to)
    {
        float* from = BaseOf(firstOutput) + firstChannel * _channelStep;
        if (_outputStep == 1)
        {
            Vector512<float> lanes = SquareTranspose.Lanes(outputs);
            for (int c = 0; c < channels; c++, from += _channelStep) Avx512F.MaskLoad(from, lanes, Vector512<float>.Zero).Store(to + c * Lanes);
            return;
        }
        // Taps of all channels in one run, or channel by channel.
        int run = _channelStep == _memoryTaps ? channels * _memoryTaps : _memoryTaps, runs = channels * _memoryTaps / run;
        for (int i = 0; i < runs; i++, from += _channelStep)
        {
            for (int place = 0; place < run; place += Lanes, to += Lanes * Lanes) SquareTranspose.Run(from + place, _outputStep, outputs, Math.Min(Lanes, run - place), to, Lanes, Lanes);
            to -= (Lanes - 1 - (run - 1) % Lanes) * Lanes;
        }
    }

    /// <summary>Writes [place of a tap][16 outputs] for outputs of groups of one channel; lanes behind the last are zeros.</summary>
    public void CopyDepthwise(int firstOutput, int outputs, float* to)
    {
        float* from = BaseOf(firstOutput);
        for (int place = 0; place < _memoryTaps; place += Lanes) SquareTranspose.Run(from + place, _groupStep, outputs, Math.Min(Lanes, _memoryTaps - place), to + place * Lanes, Lanes, Lanes);
    }

    private float* BaseOf(int output) => _weights + output / _groupOutputs * _groupStep + output % _groupOutputs * _outputStep;
}
