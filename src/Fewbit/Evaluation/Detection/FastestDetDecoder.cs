using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Evaluation.Detection;

/// <summary>FastestDet: one grid of [objectness, x, y, width, height, class scores], one box a place.</summary>
/// <remarks>
/// As the authors decode it: centre (tanh(x) + column, tanh(y) + row) / grid, width and height sigmoid of the output, in fractions of the picture;
/// score objectness^0.6 * best class^0.4.
/// </remarks>
internal sealed class FastestDetDecoder : DetectionDecoder
{
    private const int BeforeClasses = 5, Stride = 16;
    private readonly string _output;

    private FastestDetDecoder(string output) => _output = output;

    public override string Name => "fastestdet";

    public override Preprocessing Preprocessing => Preprocessing.FastestDet;

    public override double ShownScore => 0.5;

    public override double SuppressedOverlap => 0.45;

    /// <summary>Null unless there is one output [N, 5 + classes, rows, columns] on a grid of 16 pixels.</summary>
    public static FastestDetDecoder? TryFor(IModelRunner model)
    {
        if (SizeOf(model) is not { } size || model.Outputs is not [{ Shape.Rank: 4 } output] || Length(output, 1) <= BeforeClasses) return null;
        return Length(output, 2) * Stride == size.Height && Length(output, 3) * Stride == size.Width ? new(output.Name) : null;
    }

    public override IEnumerable<DetectedBox> Decode(IReadOnlyDictionary<string, Tensor> outputs, int row, double leastScore)
    {
        Tensor output = outputs[_output];
        (int channels, int height, int width) = ((int)output.Shape[1], (int)output.Shape[2], (int)output.Shape[3]);
        ReadOnlySpan<float> values = output.Rows(row, 1).Span<float>();
        int plane = height * width;
        var boxes = new List<DetectedBox>();
        for (int place = 0; place < plane; place++)
        {
            int best = BeforeClasses;
            for (int c = BeforeClasses + 1; c < channels; c++)
            {
                if (values[c * plane + place] > values[best * plane + place]) best = c;
            }
            double score = Math.Pow(values[place], 0.6) * Math.Pow(values[best * plane + place], 0.4);
            if (!(score >= leastScore)) continue;
            double x = (Math.Tanh(values[plane + place]) + place % width) / width, y = (Math.Tanh(values[2 * plane + place]) + place / width) / height;
            double halfWidth = Sigmoid(values[3 * plane + place]) / 2, halfHeight = Sigmoid(values[4 * plane + place]) / 2;
            boxes.Add(new((float)(x - halfWidth), (float)(y - halfHeight), (float)(x + halfWidth), (float)(y + halfHeight), best - BeforeClasses, (float)score));
        }
        return boxes;
    }

    private static double Sigmoid(double value) => 1 / (1 + Math.Exp(-value));
}
