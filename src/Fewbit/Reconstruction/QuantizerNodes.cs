using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>Fake quantizers of any number format as nodes: kernels of their own for integers, one pair of kernels for whatever else there is.</summary>
internal static class QuantizerNodes
{
    /// <summary>Operator and attributes of a quantizer; integers also take a zero point behind the scale.</summary>
    public static (string OpType, Attributes Attributes) Of(NumberFormat format) => format switch
    {
        IntegerFormat integers => ("FakeQuantize", new() { { "min", (float)integers.Min }, { "max", (float)integers.Max } }),
        MiniFloatFormat small => ("LevelQuantize", new() { { "float", (long[])[small.ExponentBits, small.MantissaBits, small.Bias, (long)small.Special] } }),
        _ => ("LevelQuantize", new() { { "levels", format.Numbers() }, { "codes", Array.ConvertAll(format.Numbers(), number => (long)format.Encode(number)) } }),
    };

    /// <summary>Appends a quantizer with a fixed scale.</summary>
    public static Value Append(Value value, QuantizationParameters parameters)
    {
        (string opType, Attributes attributes) = Of(parameters.Numbers);
        return value.Apply(OperatorTable.FewbitDomain, opType, attributes, Operands(value, value.Graph, parameters));
    }

    /// <summary>Constants of a graph, named after a value: the scale, and the zero point where the format has one.</summary>
    public static Value[] Operands(Value value, Graph graph, QuantizationParameters parameters)
    {
        Value scale = graph.AddConstant(value.Name + "/scale", Tensor.Scalar(parameters.Scale));
        return parameters.Numbers is IntegerFormat ? [scale, graph.AddConstant(value.Name + "/zero_point", Tensor.Scalar((float)parameters.ZeroPoint))] : [scale];
    }

    /// <summary>Appends a quantizer that leaves out elements at random.</summary>
    /// <param name="value">What is quantized.</param>
    /// <param name="format">The numbers.</param>
    /// <param name="operands">Scale, and zero point where the format has one.</param>
    /// <param name="seed">Seed of the step.</param>
    /// <param name="probability">That an element is quantized.</param>
    /// <param name="stream">Number of the quantizer.</param>
    /// <param name="gradientScale">Factor on the gradient of the scale.</param>
    public static Value AppendDropping(Value value, NumberFormat format, IReadOnlyList<Value> operands, Value seed, double probability, int stream, double gradientScale)
    {
        (string opType, Attributes attributes) = Of(format);
        attributes.Add("probability", (float)probability);
        attributes.Add("stream", (long)stream);
        attributes.Add("gradient_scale", (float)gradientScale);
        return value.Apply(OperatorTable.FewbitDomain, opType == "FakeQuantize" ? "DropQuantize" : opType, attributes, [.. operands, seed]);
    }

    /// <summary>The distance of neighbouring numbers, averaged: 1 for integers. A scale times this is what an integer format of as many codes would have as its scale.</summary>
    public static double MeanGap(NumberFormat format)
    {
        if (format is IntegerFormat) return 1;
        float[] numbers = format.Numbers();
        return numbers.Length > 1 ? ((double)numbers[^1] - numbers[0]) / (numbers.Length - 1) : 1;
    }

    /// <summary>Numbers above 0, at least 1: of integers the highest code.</summary>
    public static int CountAbove(NumberFormat format) => Math.Max(1, format is IntegerFormat integers ? integers.Max : format.Numbers().Count(number => number > 0));
}
