using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Signal;

/// <summary>ONNX MelWeightMatrix, opset 17: [dft_length / 2 + 1, num_mel_bins] triangles that sum a linear spectrum to bands of equal width in mel.</summary>
/// <param name="Type">Element type of the matrix.</param>
internal sealed record MelWeightMatrix(ElementType Type) : IOperator
{
    private const int BandCount = 0, TransformLength = 1, SampleRate = 2, LowerEdge = 3, UpperEdge = 4;

    public static MelWeightMatrix Parse(Node node) => new((ElementType)node.Int("output_datatype", (long)ElementType.Float32));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(5, 5);
        node.Expect(Casting.Supports(Type), $"output_datatype is {Type.Name()}, expected a type of numbers");
        context.SetOutput(0, Type, [Length(context, TransformLength, "dft_length").Map(length => length / 2 + 1), Length(context, BandCount, "num_mel_bins")]);
    }

    public void Evaluate(EvaluationContext context)
    {
        Node node = context.Node;
        Tensor matrix = Tensor.Allocate(ElementType.Float64, context.Output(0).Shape);
        Span<double> y = matrix.Span<double>();
        (int rows, int bands) = ((int)matrix.Shape[0], (int)matrix.Shape[1]);
        long[] edges = Edges(context, bands);
        for (int band = 0; band < bands; band++)
        {
            (long low, long centre, long high) = (edges[band], edges[band + 1], edges[band + 2]);
            node.Expect(low >= 0 && centre < rows && high <= rows, $"band {band} reaches over spectrum bins {low} to {high}, expected 0 to {rows}: lower upper_edge_hertz");
            if (low == centre) y[(int)centre * bands + band] = 1;
            for (long j = low; low < centre && j <= centre; j++) y[(int)j * bands + band] = (double)(j - low) / (centre - low);
            for (long j = centre; j < high; j++) y[(int)j * bands + band] = (double)(high - j) / (high - centre);
        }
        Casting.Convert(matrix, context.Output(0));
    }

    private static Dim Length(InferenceContext context, int input, string name)
    {
        if (context.InputInts(input) is not { } given) return Dim.Unknown;
        context.Node.Expect(given.Length == 1 && given[0] is >= 0 and <= int.MaxValue, $"{name} is [{string.Join(", ", given)}], expected one number of 0 or more");
        return given[0];
    }

    /// <summary>Spectrum bins at which bands begin, peak and end: bands + 2 of them, evenly spaced in mel.</summary>
    private static long[] Edges(EvaluationContext context, int bands)
    {
        double length = Number(context, TransformLength), rate = Number(context, SampleRate);
        double low = Mel(Number(context, LowerEdge)), step = (Mel(Number(context, UpperEdge)) - low) / (bands + 2);
        context.Node.Expect(rate > 0, $"sample_rate is {rate}, expected more than 0");
        var edges = new long[bands + 2];
        for (int i = 0; i < edges.Length; i++) edges[i] = (long)Math.Clamp(Math.Floor((length + 1) * 700 * (Math.Pow(10, (i * step + low) / 2595) - 1) / rate), -1, int.MaxValue);
        return edges;
    }

    private static double Mel(double hertz) => 2595 * Math.Log10(1 + hertz / 700);

    private static double Number(EvaluationContext context, int input)
    {
        context.Node.Expect(context.Input(input).ElementCount == 1, $"input {input} is {context.Input(input)}, expected one number");
        return Casting.Convert(context.Input(input), ElementType.Float64).Item<double>();
    }
}
