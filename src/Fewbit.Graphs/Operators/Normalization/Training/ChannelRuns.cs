using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>How the channels of [N, C, plane] lie in memory: runs of floats in which element i belongs to lane i % 16 of a group of channels.</summary>
/// <remarks>In blocks of channels a group is a block and each lane a channel; row-major, a group is one channel and all 16 lanes are that channel.</remarks>
/// <param name="Images">N.</param>
/// <param name="Channels">C.</param>
/// <param name="Plane">Pixels.</param>
/// <param name="IsBlocked">Whether the layout is <see cref="Layout.ChannelBlocks16"/>.</param>
internal readonly unsafe record struct ChannelRuns(int Images, int Channels, int Plane, bool IsBlocked)
{
    /// <summary>Lanes of a group.</summary>
    public const int Lanes = 16;

    private const int FloatsPerChunk = 1 << 15;

    public static ChannelRuns Of(Shape x, Layout layout) =>
        new(checked((int)x[0]), checked((int)x[1]), checked((int)x.CountOf(2, x.Rank)), layout == Layout.ChannelBlocks16);

    /// <summary>Groups of channels of an image.</summary>
    public int Groups => IsBlocked ? (Channels + Lanes - 1) / Lanes : Channels;

    /// <summary>Floats of a run: one group of one image.</summary>
    public int Length => IsBlocked ? checked(Plane * Lanes) : Plane;

    /// <summary>Elements of a channel.</summary>
    public long Count => (long)Images * Plane;

    /// <summary>Chunks of work: one group of some images each, neighbouring images first, as the convolution before splits them.</summary>
    public int Chunks => Parts * Groups;

    private int ImagesPerChunk => Math.Max(1, FloatsPerChunk / Math.Max(1, Length));

    private int Parts => (Images + ImagesPerChunk - 1) / ImagesPerChunk;

    /// <summary>Group of a chunk, and its images from First up to, without, End.</summary>
    public (int Group, int First, int End) Chunk(int chunk)
    {
        (int part, int group) = Math.DivRem(chunk, Groups);
        return (group, part * ImagesPerChunk, Math.Min(Images, (part + 1) * ImagesPerChunk));
    }

    /// <summary>Where the run of an image and a group starts, in floats.</summary>
    public long Offset(int image, int group) => ((long)image * Groups + group) * Length;

    /// <summary>Channel of a lane; the number of channels or more where the lane only fills up a block.</summary>
    public int Channel(int group, int lane) => IsBlocked ? group * Lanes + lane : group;

    /// <summary>Writes a number a channel as a number a lane of each group: <see cref="Groups"/> * 16 floats, 0 in lanes that fill up.</summary>
    public void Spread(ReadOnlySpan<float> channels, float* lanes)
    {
        for (int group = 0; group < Groups; group++)
        {
            for (int lane = 0; lane < Lanes; lane++) lanes[group * Lanes + lane] = Channel(group, lane) < Channels ? channels[Channel(group, lane)] : 0;
        }
    }

    /// <summary>The sum over chunks, and over lanes of one channel, of the first or second of two sums a lane.</summary>
    /// <param name="partial"><see cref="LaneSums"/> of each chunk.</param>
    /// <param name="which">0 or 1.</param>
    /// <param name="channel">The channel.</param>
    public double Total(double* partial, int which, int channel)
    {
        double sum = 0;
        (int group, int first, int end) = IsBlocked ? (channel / Lanes, channel % Lanes, channel % Lanes + 1) : (channel, 0, Lanes);
        for (int part = 0; part < Parts; part++)
        {
            double* lanes = partial + ((long)part * Groups + group) * LaneSums.Doubles + which * Lanes;
            for (int lane = first; lane < end; lane++) sum += lanes[lane];
        }
        return sum;
    }
}
