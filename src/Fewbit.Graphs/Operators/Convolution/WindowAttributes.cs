namespace Fewbit.Graphs.Operators;

/// <summary>How padding is chosen.</summary>
internal enum AutoPad
{
    /// <summary>As the attribute pads says.</summary>
    NotSet,

    /// <summary>None.</summary>
    Valid,

    /// <summary>So that output length = ceil(input length / stride); an odd element goes to the end.</summary>
    SameUpper,

    /// <summary>As SameUpper; an odd element goes to the start.</summary>
    SameLower,
}

/// <summary>One dimension over which a kernel moves. A tap k of output o reads input o * Stride - PadBegin + k * Dilation.</summary>
internal readonly record struct WindowAxis(int In, int Out, int Kernel, int Stride, int Dilation, int PadBegin, int PadEnd)
{
    /// <summary>A dimension of length 1 under a kernel of length 1.</summary>
    public static WindowAxis Single => new(1, 1, 1, 1, 1, 0, 0);

    /// <summary>Input position of a tap; outside [0, In) in the padding.</summary>
    public int Position(int output, int tap) => output * Stride - PadBegin + tap * Dilation;

    /// <summary>First tap of an output that lies on the image.</summary>
    public int FirstTap(int output) => Math.Max(0, (PadBegin - output * Stride + Dilation - 1) / Dilation);

    /// <summary>Tap after the last of an output that lies on the image.</summary>
    public int EndTap(int output) => Math.Min(Kernel, (In - 1 + PadBegin - output * Stride + Dilation) / Dilation);
}

/// <summary>The attributes of an operator that moves a kernel over an image: strides, dilations, pads, auto_pad, ceil_mode.</summary>
internal sealed record WindowAttributes(long[]? Strides, long[]? Dilations, long[]? Pads, AutoPad AutoPad, bool RoundsUp)
{
    /// <summary>Most spatial dimensions that kernels are written for.</summary>
    public const int MaxSpatialRank = 3;

    // Kernels lay out padding and taps, so a window far beyond the image would take memory and time for nothing.
    private const int LongestWindow = 1 << 16;

    public static WindowAttributes Parse(Node node)
    {
        string autoPad = node.String("auto_pad", "NOTSET");
        AutoPad padding = autoPad switch
        {
            "NOTSET" or "" => AutoPad.NotSet,
            "VALID" => AutoPad.Valid,
            "SAME_UPPER" => AutoPad.SameUpper,
            "SAME_LOWER" => AutoPad.SameLower,
            _ => throw node.Fail($"auto_pad is '{autoPad}', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER"),
        };
        return new(node.Ints("strides"), node.Ints("dilations"), node.Ints("pads"), padding, node.Int("ceil_mode", 0) != 0);
    }

    /// <summary>Checks that each list has a number for every spatial dimension.</summary>
    public void Check(Node node, int spatialRank)
    {
        node.Expect(spatialRank is >= 1 and <= MaxSpatialRank, $"has {spatialRank} spatial dimensions, expected 1 to {MaxSpatialRank}");
        CheckLists(node, spatialRank);
    }

    /// <summary>As <see cref="Check"/>, for operators that take any number of spatial dimensions.</summary>
    public void CheckLists(Node node, int spatialRank)
    {
        CheckList(node, "strides", Strides, spatialRank, 1);
        CheckList(node, "dilations", Dilations, spatialRank, 1);
        CheckList(node, "pads", Pads, 2 * spatialRank, 0);
    }

    public int Stride(int axis) => (int)(Strides?[axis] ?? 1);

    public int Dilation(int axis) => (int)(Dilations?[axis] ?? 1);

    public int PadBegin(int axis) => AutoPad == AutoPad.NotSet ? (int)(Pads?[axis] ?? 0) : 0;

    public int PadEnd(int axis) => AutoPad == AutoPad.NotSet ? (int)(Pads?[axis + Pads.Length / 2] ?? 0) : 0;

    /// <summary>Length of an output dimension as far as it follows from the input's.</summary>
    public Dim Output(Node node, int axis, Dim input, long kernel) => input.Map(length => Axis(node, axis, length, kernel).Out);

    /// <summary>The geometry of one spatial dimension of an image of known length.</summary>
    public WindowAxis Axis(Node node, int axis, long input, long kernel)
    {
        node.Expect(kernel is >= 1 and <= int.MaxValue, $"kernel has length {kernel} in spatial dimension {axis}, expected 1 or more");
        int stride = Stride(axis), dilation = Dilation(axis), length = checked((int)input), reach = checked(dilation * ((int)kernel - 1) + 1);
        node.Expect(reach <= Math.Max(length, LongestWindow), $"kernel reaches over {reach} in spatial dimension {axis}, expected at most the image's {length} or {LongestWindow}");
        if (AutoPad is AutoPad.SameUpper or AutoPad.SameLower)
        {
            int same = (length + stride - 1) / stride, total = Math.Max(0, (same - 1) * stride + reach - length), small = total / 2;
            int begin = AutoPad == AutoPad.SameUpper ? small : total - small;
            return new(length, same, (int)kernel, stride, dilation, begin, total - begin);
        }
        int padded = checked(length + PadBegin(axis) + PadEnd(axis));
        node.Expect(padded >= reach, $"image has length {length} (with padding {padded}) in spatial dimension {axis}, but the kernel reaches over {reach}");
        int rest = padded - reach, output = (RoundsUp ? (rest + stride - 1) / stride : rest / stride) + 1;
        // A window that starts in the padding at the end is left out.
        if (RoundsUp && (output - 1) * stride >= length + PadBegin(axis)) output--;
        return new(length, output, (int)kernel, stride, dilation, PadBegin(axis), PadEnd(axis));
    }

    /// <summary>The geometry of an image [N, C, spatial], brought to three dimensions by dimensions of length 1 in front.</summary>
    public WindowAxis[] Axes(Node node, ReadOnlySpan<long> image, ReadOnlySpan<long> kernel)
    {
        Check(node, kernel.Length);
        WindowAxis[] axes = [WindowAxis.Single, WindowAxis.Single, WindowAxis.Single];
        for (int axis = 0; axis < kernel.Length; axis++) axes[MaxSpatialRank - kernel.Length + axis] = Axis(node, axis, image[axis], kernel[axis]);
        return axes;
    }

    private static void CheckList(Node node, string name, long[]? values, int count, long minimum)
    {
        if (values is null) return;
        node.Expect(values.Length == count, $"{name} has {values.Length} values, expected {count}");
        foreach (long value in values) node.Expect(value >= minimum && value <= int.MaxValue, $"{name} is [{string.Join(", ", values)}], expected values of {minimum} or more");
    }
}
