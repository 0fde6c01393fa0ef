using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Quantized;

/// <summary>A convolution of integer codes, by its definition: exact for any types and zero points.</summary>
internal static class IntegerConvolution
{
    /// <summary>The int32 sums, [N, M, spatial]. Padding counts as the input's zero point.</summary>
    public static int[] Accumulate(ConvGeometry shape, Tensor x, int xZeroPoint, Tensor w, int[] wZeroPoints, Tensor? bias)
    {
        int[] image = Centred(Codes.Read(x), [xZeroPoint]), weight = Centred(Codes.Read(w), wZeroPoints);
        var sums = new int[(long)shape.Batch * shape.OutChannels * shape.OutPlane];
        if (bias is not null)
        {
            ReadOnlySpan<int> values = bias.Span<int>();
            int plane = (int)shape.OutPlane;
            for (int row = 0; row < shape.Batch * shape.OutChannels; row++) sums.AsSpan(row * plane, plane).Fill(values[row % shape.OutChannels]);
        }
        ConvReference.Accumulate<int, ConvReference.ToOutput>(shape, image, weight, sums);
        return sums;
    }

    public static SymbolicShape? InferShape(InferenceContext context, WindowAttributes window, long groups, int xIndex, int wIndex)
    {
        Node node = context.Node;
        if (context.InputShape(xIndex) is not { } x || context.InputShape(wIndex) is not { } w) return null;
        node.Expect(x.Rank >= 3 && x.Rank == w.Rank, $"input has shape {x} and weight {w}, expected equal ranks of 3 or more");
        window.Check(node, x.Rank - 2);
        node.Expect(x[1].MayEqual(w[1] * groups), $"input has {x[1]} channels, but the weight {w} in {groups} group(s) takes {w[1] * groups}");
        var dims = new Dim[x.Rank];
        (dims[0], dims[1]) = (x[0], w[0]);
        for (int axis = 0; axis < x.Rank - 2; axis++) dims[axis + 2] = w[axis + 2].IsKnown ? window.Output(node, axis, x[axis + 2], w[axis + 2].Length) : Dim.Unknown;
        return new(dims);
    }

    /// <summary>Codes minus their zero point: one, or one for each item of dimension 0.</summary>
    private static int[] Centred(int[] codes, int[] zeroPoints)
    {
        int run = codes.Length / zeroPoints.Length;
        for (int i = 0; i < codes.Length; i++) codes[i] -= zeroPoints[i / run];
        return codes;
    }
}
