using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

public sealed class BatchNormalizationTrainingTests
{
    private static readonly Attributes None = [], Relu = new() { { "activation", "relu" } }, Clip = new() { { "activation", "clip" }, { "low", -0.5f }, { "high", 0.75f } };

    public static TheoryData<string, bool> Kinds => new() { { "none", false }, { "none", true }, { "relu", false }, { "relu", true }, { "clip", false }, { "clip", true } };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Gradient_Float64_EqualsFiniteDifferences(string activation, bool hasResidual)
    {
        Tensor[] inputs = [GradientCheck.Random([3, 2, 2, 3], 1), GradientCheck.Random([2], 2, 0.5, 2), GradientCheck.Random([2], 3), .. hasResidual ? [GradientCheck.Random([3, 2, 2, 3], 4)] : Array.Empty<Tensor>()];
        GradientCheck.Run(values => Train(values, activation), inputs);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Gradient_Twice_EqualsFiniteDifferences(string activation, bool hasResidual)
    {
        Tensor[] inputs = [GradientCheck.Random([2, 2, 5], 1), GradientCheck.Random([2], 2, 0.5, 2), GradientCheck.Random([2], 3), .. hasResidual ? [GradientCheck.Random([2, 2, 5], 4)] : Array.Empty<Tensor>()];
        GradientCheck.RunTwice(values => Train(values, activation), inputs);
    }

    /// <summary>Planes with and without a rest of a vector, channels that do not fill a block, a mean far from 0, and sums longer than one stretch.</summary>
    [Theory]
    [InlineData(2, 3, 5, 7, 0)]
    [InlineData(4, 16, 8, 8, 0)]
    [InlineData(3, 40, 4, 4, 100)]
    [InlineData(1, 5, 150, 151, -3)]
    [InlineData(1, 2, 1, 1, 0)]
    public void Kernels_Float32_EqualTheFloat64ReferenceInBothLayouts(int images, int channels, int height, int width, float mean)
    {
        foreach (string activation in (string[])["none", "relu", "clip"])
        {
            foreach (bool hasResidual in (bool[])[false, true]) Compare([images, channels, height, width], mean, activation, hasResidual);
        }
    }

    [Fact]
    public void Kernels_LargePlanes_EqualTheReference() => Compare([2, 17, 128, 129], 0, "relu", hasResidual: true);

    [Fact]
    public void Forward_RunningVariance_IsUnbiasedAsInPyTorch()
    {
        // torch.nn.BatchNorm1d(1) in training on [1, 2, 4]: running_mean 0.1 * 7 / 3, running_var 0.9 + 0.1 * 7 / 3 (sum of squares 14 / 3, over 2).
        Tensor[] outputs = OneNode.RunAll("BatchNormalizationTraining", None, [Tensor.From<float>([1, 2, 4], [3, 1]), Tensor.From(1f), Tensor.From(0f), Tensor.From(0f), Tensor.From(1f)], 5, domain: "ai.fewbit");
        Assert.Equal(0.1 * 7 / 3, outputs[1].Item<float>(), 1e-6);
        Assert.Equal(0.9 + 0.1 * 7 / 3, outputs[2].Item<float>(), 1e-6);
    }

    [Fact]
    public void TrainBatchNorm_ResidualBlock_TakesOverAddAndRelu_AndTrainsAsTheSeparateNodes()
    {
        (Graph fused, Graph separate) = (Block(), Block());
        PassReport report = new TrainBatchNorm().Run(fused);
        new TrainBatchNorm { Fuses = false }.Run(separate);
        Assert.Equal(3, report.Changes.Count);
        Assert.Equal(["Conv", "BatchNormalizationTraining", "Conv", "BatchNormalizationTraining", "Conv", "BatchNormalizationTraining"], fused.Nodes.Select(node => node.OpType));
        Tensor[] expected = Train(separate), found = Train(fused);
        for (int i = 0; i < expected.Length; i++) OneNode.AssertClose([.. expected[i].Span<float>().ToArray().Select(x => (double)x)], found[i], 1e-4);
    }

    private static Value Train(Value[] values, string activation)
    {
        Graph graph = values[0].Graph;
        long channels = values[0].Shape![1].Length;
        Value mean = graph.AddConstant("mean", GradientCheck.Random([channels], 5)), variance = graph.AddConstant("variance", GradientCheck.Random([channels], 6, 1, 2));
        return values[0].Apply("ai.fewbit", "BatchNormalizationTraining", With(activation), [values[1], values[2], mean, variance, .. values.Skip(3)]);
    }

    private static Attributes With(string activation) => activation switch { "relu" => Relu, "clip" => Clip, _ => None };

    private static void Compare(Shape shape, float mean, string activation, bool hasResidual)
    {
        var random = new Random(7);
        Tensor Numbers(Shape lengths, double centre = 0)
        {
            Tensor tensor = Tensor.AllocateUninitialized(ElementType.Float32, lengths);
            foreach (ref float value in tensor.Span<float>()) value = (float)(centre + 2 * random.NextDouble() - 1);
            return tensor;
        }
        Shape vector = [shape[1]];
        Tensor[] inputs = [Numbers(shape, mean), Numbers(vector), Numbers(vector), Numbers(vector), Numbers(vector, 2), .. hasResidual ? [Numbers(shape)] : Array.Empty<Tensor>()];
        Tensor dy = Numbers(shape);
        Tensor[] expected = Forward(inputs, With(activation), isDouble: true, isBlocked: false);
        // Elements whose normalized value lies at an end of the range by rounding would differ: the gradient of those is not compared.
        bool[] isSafe = [.. expected[0].Span<double>().ToArray().Select(y => activation == "none" || new[] { 0, -0.5, 0.75 }.All(end => y == (activation == "relu" ? 0 : end) || Math.Abs(y - end) > 1e-4))];
        Tensor[] gradients = Backward(inputs, dy, expected, With(activation), isDouble: true, isBlocked: false);
        foreach (bool isBlocked in (bool[])[false, true])
        {
            Tensor[] found = Forward(inputs, With(activation), isDouble: false, isBlocked), foundGradients = Backward(inputs, dy, found, With(activation), isDouble: false, isBlocked);
            for (int i = 0; i < found.Length; i++) AssertClose(expected[i], found[i], null);
            for (int i = 0; i < foundGradients.Length; i++) AssertClose(gradients[i], foundGradients[i], i is 0 or 3 ? isSafe : null);
        }
    }

    private static void AssertClose(Tensor expected, Tensor found, bool[]? compared)
    {
        double[] numbers = expected.Span<double>().ToArray();
        // Float32 statistics of up to 22,650 elements whose mean may be 100 deviations away.
        double tolerance = 2e-4 * Math.Max(1, numbers.Max(Math.Abs));
        for (int i = 0; i < numbers.Length; i++) Assert.True(compared?[i] == false || Math.Abs(numbers[i] - found.Span<float>()[i]) <= tolerance, $"element {i}: {found.Span<float>()[i]}, expected {numbers[i]}");
    }

    private static Tensor[] Forward(Tensor[] inputs, Attributes attributes, bool isDouble, bool isBlocked) => Run("BatchNormalizationTraining", inputs, attributes, 5, isDouble, isBlocked);

    private static Tensor[] Backward(Tensor[] inputs, Tensor dy, Tensor[] forward, Attributes attributes, bool isDouble, bool isBlocked)
    {
        bool isResidual = inputs.Length > 5 && attributes.Contains("activation");
        Tensor[] operands = [dy, inputs[0], inputs[1], inputs[2], forward[3], forward[4], .. isResidual ? [forward[0]] : Array.Empty<Tensor>()];
        return Run("BatchNormalizationGradient", operands, attributes, isResidual ? 4 : 3, isDouble, isBlocked);
    }

    /// <summary>Runs one node on a plan; in blocks where the tensors have four dimensions and it is asked for.</summary>
    private static Tensor[] Run(string opType, Tensor[] inputs, Attributes attributes, int outputs, bool isDouble, bool isBlocked)
    {
        var graph = new Graph(opset: 21);
        ElementType type = isDouble ? ElementType.Float64 : ElementType.Float32;
        Tensor[] given = [.. inputs.Select(input => Casting.Convert(input, type))];
        Value[] values = [.. given.Select((input, i) => graph.AddInput($"x{i}", type, SymbolicShape.From(input.Shape)))];
        Value[] operands = [.. values.Select(value => isBlocked && value.Shape!.Rank == 4 ? Blocks(value) : value)];
        Node node = graph.InsertNode(graph.Nodes.Count, "ai.fewbit", opType, operands, attributes, outputs);
        if (isBlocked) foreach (Value output in node.Outputs.Where(output => output.Shape!.Rank == 4)) output.Layout = Layout.ChannelBlocks16;
        Plan plan = Plan.Compile(graph, new() { Inputs = values.Zip(given).ToDictionary(pair => pair.First.Name, pair => pair.Second.Shape), Outputs = [.. node.Outputs.Select(value => value.Name)] });
        plan.Run(values.Zip(given).ToDictionary(pair => pair.First.Name, pair => pair.Second));
        return [.. node.Outputs.Select(value => plan.Output(value.Name))];
    }

    private static Value Blocks(Value value)
    {
        Value blocks = value.Apply("ai.fewbit", "Reorder", null);
        blocks.Layout = Layout.ChannelBlocks16;
        return blocks;
    }

    /// <summary>relu(bn(conv(relu(bn(conv(x))))) + bn(conv(x))).</summary>
    private static Graph Block()
    {
        var graph = new Graph(opset: 15);
        Value x = graph.AddInput("x", ElementType.Float32, [3, 4, 6, 6]);
        int seed = 10;
        Value Conv(Value input, int kernel) => input.Apply("Conv", new Attributes { { "pads", new long[] { kernel / 2, kernel / 2, kernel / 2, kernel / 2 } } }, graph.AddConstant("w", OneNode.Numbers(seed++, 4, 4, kernel, kernel)));
        Value Norm(Value input) => input.Apply("BatchNormalization", graph.AddConstant("scale", OneNode.Numbers(seed++, 4)), graph.AddConstant("bias", OneNode.Numbers(seed++, 4)), graph.AddConstant("mean", OneNode.Numbers(seed++, 4)), graph.AddConstant("variance", Tensor.From(1f, 1f, 1f, 1f)));
        Value inner = Norm(Conv(x, 3)).Apply("Relu");
        graph.AddOutput((Norm(Conv(inner, 3)) + Norm(Conv(x, 1))).Apply("Relu"));
        return graph;
    }

    /// <summary>Output, and the gradients of the weighted output with respect to all weights, scales, biases and x.</summary>
    private static Tensor[] Train(Graph graph)
    {
        Value output = graph.Outputs[0];
        Value[] learned = [graph.Inputs[0], .. graph.Constants.Where(value => value.Name[0] is 'w' or 's' or 'b')];
        foreach (Value value in learned.Skip(1)) value.IsVariable = true;
        Value loss = output * graph.AddConstant("factor", OneNode.Numbers(99, 3, 4, 6, 6));
        string[] names = [output.Name, .. Gradients.Of(loss, learned).Select(value => value.Name)];
        Plan plan = Plan.Compile(graph, new() { Inputs = new Dictionary<string, Shape> { ["x"] = [3, 4, 6, 6] }, Outputs = names });
        plan.Run(new Dictionary<string, Tensor> { ["x"] = OneNode.Numbers(1, 3, 4, 6, 6) });
        return [.. names.Select(plan.Output)];
    }
}
