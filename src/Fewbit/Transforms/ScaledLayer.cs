using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Transforms;

/// <summary>The largest magnitudes in a layer's weight, and the factors that its channels are to be scaled by: ranges follow factors without a look at the weight.</summary>
internal sealed class ScaledLayer
{
    private readonly LayerChannels _channels;
    private readonly float[] _largest;
    private readonly double[] _outputFactors, _inputFactors;

    public ScaledLayer(Node node)
    {
        _channels = new(node);
        (_outputFactors, _inputFactors) = (Ones(_channels.Outputs), Ones(_channels.Inputs));
        _largest = new float[_channels.First * _channels.Second];
        ReadOnlySpan<float> weight = _channels.Weight.Span<float>();
        for (int part = 0; part < _largest.Length; part++)
        {
            foreach (float value in weight.Slice(part * _channels.Inner, _channels.Inner)) _largest[part] = MathF.Max(_largest[part], MathF.Abs(value));
        }
    }

    public LayerChannels Channels => _channels;

    /// <summary>max |w| of each output channel.</summary>
    public double[] OutputRanges() => Ranges(_channels.Outputs, channels => channels.Output, 1);

    /// <summary>max |w| of each group of neighbouring input channels.</summary>
    /// <param name="spread">Input channels in a group: a Flatten makes several of one.</param>
    public double[] InputRanges(int spread) => Ranges(_channels.Inputs / spread, channels => channels.Input, spread);

    public void ScaleOutput(int channel, double factor) => _outputFactors[channel] *= factor;

    public void ScaleInput(int channel, int spread, double factor)
    {
        for (int i = channel * spread; i < (channel + 1) * spread; i++) _inputFactors[i] *= factor;
    }

    /// <summary>Writes the scaled weight, bias and statistics into the graph.</summary>
    public void Write()
    {
        Node node = _channels.Node;
        Value weight = node.Inputs[1]!;
        Tensor scaled = Scaled(weight.Constant!, isOutputScaled: true);
        if (weight.FoldedBatchNorm is { } norm)
        {
            // Scaled with the result, gamma and beta describe it as before; the unfolded weight has the scaled inputs alone.
            weight.FoldedBatchNorm = norm with { Scale = Product(norm.Scale, _outputFactors), Bias = Product(norm.Bias, _outputFactors), Weight = Scaled(norm.Weight, isOutputScaled: false) };
        }
        weight.SetConstant(scaled);
        if (_channels.Bias is { } bias) LayerChannels.SetBias(node, Product(bias, _outputFactors));
    }

    private Tensor Scaled(Tensor weight, bool isOutputScaled)
    {
        Tensor result = Tensor.AllocateUninitialized(ElementType.Float32, weight.Shape);
        Span<float> from = weight.Span<float>(), to = result.Span<float>();
        for (int part = 0; part < _largest.Length; part++)
        {
            (int output, int input) = _channels.Of(part / _channels.Second, part % _channels.Second);
            double factor = (isOutputScaled ? _outputFactors[output] : 1) * _inputFactors[input];
            for (int i = part * _channels.Inner; i < (part + 1) * _channels.Inner; i++) to[i] = (float)(from[i] * factor);
        }
        return result;
    }

    private double[] Ranges(int count, Func<(int Output, int Input), int> select, int spread)
    {
        var ranges = new double[count];
        for (int part = 0; part < _largest.Length; part++)
        {
            (int output, int input) channels = _channels.Of(part / _channels.Second, part % _channels.Second);
            int channel = select(channels) / spread;
            ranges[channel] = Math.Max(ranges[channel], _largest[part] * _outputFactors[channels.output] * _inputFactors[channels.input]);
        }
        return ranges;
    }

    private static double[] Ones(int count)
    {
        var ones = new double[count];
        Array.Fill(ones, 1);
        return ones;
    }

    private static Tensor Product(Tensor values, double[] factors)
    {
        var product = new float[factors.Length];
        for (int c = 0; c < product.Length; c++) product[c] = (float)(values.Span<float>()[c] * factors[c]);
        return Tensor.From<float>(product);
    }
}
