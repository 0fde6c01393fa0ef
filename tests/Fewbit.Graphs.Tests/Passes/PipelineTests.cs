using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Tests.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Passes;

/// <summary>Random convolutional networks compute the same before and after the passes.</summary>
public sealed class PipelineTests
{
    [Fact]
    public void ForExecution_RandomNetworks_KeepOutputsAndNames()
    {
        for (int seed = 0; seed < 60; seed++)
        {
            Graph graph = new RandomNetwork(seed).Build();
            var inputs = new Dictionary<string, Tensor> { ["x"] = OneNode.Numbers(seed, 2, 4, 9, 8) };
            Tensor[] expected = new Interpreter().Run(graph, inputs);
            int nodes = graph.Nodes.Count;
            using var runner = new GraphRunner(Fewbit.Graphs.Passes.Passes.ForExecution(graph));
            Assert.Equal(nodes, graph.Nodes.Count);
            IReadOnlyDictionary<string, Tensor> found = runner.Run(inputs);
            for (int i = 0; i < expected.Length; i++)
            {
                double scale = Math.Max(1e-3, expected[i].Span<float>().ToArray().Max(MathF.Abs));
                // Folding a normalization moves roundings; they grow with the depth of the network.
                for (int e = 0; e < expected[i].ElementCount; e++)
                    Assert.True(Math.Abs(expected[i].Span<float>()[e] - found[graph.Outputs[i].Name].Span<float>()[e]) <= 2e-5 * scale, $"seed {seed}, output {i}, element {e}");
            }
        }
    }

    private sealed class RandomNetwork(int seed)
    {
        private readonly Random _random = new(seed);
        private readonly Graph _graph = new(opset: 17);
        private readonly List<Value> _values = [];

        public Graph Build()
        {
            _values.Add(_graph.AddInput("x", ElementType.Float32, ["N", 4, 9, 8]));
            for (int i = 0; i < 12; i++) _values.Add(Next(Pick()));
            Value last = _values[^1];
            _graph.AddOutput(last);
            if (_random.Next(2) == 0 && _values[^3] is { IsOutput: false, Producer: not null } other) _graph.AddOutput(other);
            bool keeps = _random.Next(2) == 0;
            Value mean = last.Apply("ReduceMean", new Attributes { { "axes", new long[] { 2, 3 } }, { "keepdims", keeps } });
            Value flat = keeps ? mean.Apply("Flatten") : mean;
            _graph.AddOutput(Normalize(flat.Apply("Gemm", new Attributes { { "transB", 1 } }, Constant(5, last.Shape![1].Length)), 5));
            return _graph;
        }

        /// <summary>Mostly the newest value, so that chains arise; at times an older one, so that values are read twice.</summary>
        private Value Pick() => _random.Next(4) == 0 ? _values[_random.Next(_values.Count)] : _values[^1];

        private Value Next(Value x)
        {
            long channels = x.Shape![1].Length;
            switch (_random.Next(11))
            {
                case 0 or 1: return Convolve(x, channels);
                case 2: return Normalize(Convolve(x, channels), channels);
                case 3: return Normalize(x, channels);
                case 4: return x.Apply("Relu");
                case 5: return x.Apply("Clip", x.Scalar(-0.5), x.Scalar(0.75));
                case 6: return x.Apply("LeakyRelu", new Attributes { { "alpha", 0.2f } });
                case 7: return _values.LastOrDefault(other => other != x && other.Shape!.Equals(x.Shape)) is { } addend ? addend + Convolve(x, channels) : x.Apply("Identity");
                case 8: return x.Apply(_random.Next(2) == 0 ? "MaxPool" : "AveragePool", new Attributes { { "kernel_shape", new long[] { 3, 3 } }, { "pads", new long[] { 1, 1, 1, 1 } } });
                case 9: return x.Apply("Dropout").Apply("Reshape", x.Apply("Shape"));
                default: return Normalize(x.Apply("ConvTranspose", new Attributes { { "pads", new long[] { 1, 1, 1, 1 } } }, Constant(channels, channels, 3, 3)), channels);
            }
        }

        private Value Convolve(Value x, long channels)
        {
            long group = _random.Next(3) == 0 ? channels : 1;
            Value? bias = _random.Next(2) == 0 ? Constant(channels) : null;
            return x.Apply("Conv", new Attributes { { "pads", new long[] { 1, 1, 1, 1 } }, { "group", group } }, Constant(channels, channels / group, 3, 3), bias);
        }

        private Value Normalize(Value x, long channels)
        {
            Tensor variance = OneNode.Numbers(_random.Next(), channels);
            foreach (ref float value in variance.Span<float>()) value += 1.5f;
            return x.Apply("BatchNormalization", Constant(channels), Constant(channels), Constant(channels), _graph.AddConstant("variance", variance));
        }

        private Value Constant(params long[] shape) => _graph.AddConstant("c", OneNode.Numbers(_random.Next(), shape));
    }
}
