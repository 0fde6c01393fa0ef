using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Types;

/// <summary>Every element type that the standard allows an operator up to opset 26, on small numbers: the result is that of float32, in the type.</summary>
public class TypeConstraintTests
{
    private static readonly ElementType[] Floats = [ElementType.Float16, ElementType.Float32, ElementType.Float64, ElementType.BFloat16];
    private static readonly ElementType[] Signed = [ElementType.Int8, ElementType.Int16, ElementType.Int32, ElementType.Int64];
    private static readonly ElementType[] Unsigned = [ElementType.UInt8, ElementType.UInt16, ElementType.UInt32, ElementType.UInt64];
    private static readonly ElementType[] Numeric = [.. Floats, .. Signed, .. Unsigned];
    private static readonly ElementType[] Wide = [.. Floats, ElementType.Int32, ElementType.Int64, ElementType.UInt32, ElementType.UInt64];
    private static readonly ElementType[] Ordinary = [.. Numeric, ElementType.Bool];
    private static readonly ElementType[] Float8 = [ElementType.Float8E4M3FN, ElementType.Float8E4M3FNUZ, ElementType.Float8E5M2, ElementType.Float8E5M2FNUZ];
    private static readonly ElementType[] Any = [.. Ordinary, .. Float8, ElementType.Int4, ElementType.UInt4, ElementType.Float4E2M1, ElementType.Int2, ElementType.UInt2];

    private static readonly Dictionary<string, Case> Cases = new()
    {
        ["Identity"] = new(Any, "x"), ["Reshape"] = new(Any, "x", "i:3,2"), ["Flatten"] = new(Any, "x"), ["Squeeze"] = new(Any, "row", "i:0"), ["Unsqueeze"] = new(Any, "x", "i:0"), ["Transpose"] = new(Any, "x"),
        ["Shape"] = new(Any, "x") { Result = ElementType.Int64 }, ["Size"] = new(Any, "x") { Result = ElementType.Int64 }, ["Pad"] = new(Any, "x", "i:0,1,1,0", "zero"), ["Cast"] = new(Any, "x") { Attributes = new() { { "to", 1 } }, Result = ElementType.Float32 },
        ["Concat"] = new(Ordinary, "x", "y") { Attributes = new() { { "axis", 1 } } }, ["Gather"] = new(Ordinary, "x", "i:1,0"), ["GatherElements"] = new(Ordinary, "x", "ii:1,0"), ["GatherND"] = new(Ordinary, "x", "ii:1,0"),
        ["ScatterElements"] = new(Ordinary, "x", "ii:1,0", "pair"), ["ScatterND"] = new(Ordinary, "x", "ii:1,0", "one"), ["Slice"] = new(Ordinary, "x", "i:0,1", "i:2,3"), ["Tile"] = new(Ordinary, "x", "i:2,1"), ["Expand"] = new(Ordinary, "row", "i:2,3"),
        ["Split"] = new(Ordinary, "x") { Attributes = new() { { "axis", 1 }, { "num_outputs", 1 } } }, ["Where"] = new(Ordinary, "b", "x", "y"), ["Compress"] = new(Ordinary, "x", "b1") { Attributes = new() { { "axis", 1 } } }, ["Trilu"] = new(Ordinary, "x"),
        ["DepthToSpace"] = new(Ordinary, "cube") { Attributes = new() { { "blocksize", 2 } } }, ["SpaceToDepth"] = new(Ordinary, "plane") { Attributes = new() { { "blocksize", 2 } } }, ["CenterCropPad"] = new(Ordinary, "x", "i:1,2"),
        ["NonZero"] = new(Ordinary, "x") { Result = ElementType.Int64 }, ["Unique"] = new(Numeric, "x"), ["OneHot"] = new(Ordinary, "i:1,0", "i0:2", "values"), ["ReverseSequence"] = new(Ordinary, "x", "i:1,2,1"), ["Equal"] = new(Ordinary, "x", "y") { Result = ElementType.Bool },
        ["EyeLike"] = new([.. Ordinary.Except([ElementType.BFloat16])], "x"), ["ConstantOfShape"] = new([ElementType.Int64], "i:2,3") { Result = ElementType.Float32 }, ["Resize"] = new(Ordinary, "plane", "", "f:1,1,2,1"),
        ["Add"] = new(Numeric, "x", "y"), ["Sub"] = new(Numeric, "big", "y"), ["Mul"] = new(Numeric, "x", "y"), ["Div"] = new(Numeric, "six", "y"), ["Mod"] = new([.. Signed, .. Unsigned], "big", "y"), ["Abs"] = new(Numeric, "x"), ["Neg"] = new([.. Floats, .. Signed], "x"),
        ["Sign"] = new(Numeric, "x"), ["Relu"] = new([.. Floats, .. Signed], "x"), ["Clip"] = new(Numeric, "x", "one0", "two0"), ["Max"] = new(Numeric, "x", "y"), ["Min"] = new(Numeric, "x", "y"), ["Sum"] = new(Floats, "x", "y"), ["Mean"] = new(Floats, "x", "x"),
        ["Pow"] = new([.. Floats, ElementType.Int32, ElementType.Int64], "x", "y"), ["PRelu"] = new(Wide, "x", "y"), ["Less"] = new(Numeric, "x", "y") { Result = ElementType.Bool }, ["LessOrEqual"] = new(Numeric, "x", "y") { Result = ElementType.Bool },
        ["Greater"] = new(Numeric, "x", "y") { Result = ElementType.Bool }, ["GreaterOrEqual"] = new(Numeric, "x", "y") { Result = ElementType.Bool }, ["MatMul"] = new(Wide, "square", "square"), ["Gemm"] = new(Wide, "square", "square", "square"),
        ["ReduceSum"] = new(Wide, "x", "i:1"), ["ReduceProd"] = new(Wide, "x", "i:1"), ["ReduceL1"] = new(Wide, "x", "i:1"), ["ReduceSumSquare"] = new(Wide, "x", "i:1"), ["ReduceMax"] = new([.. Wide, ElementType.Int8, ElementType.UInt8, ElementType.Bool], "x", "i:1"),
        ["ReduceMin"] = new([.. Wide, ElementType.Int8, ElementType.UInt8, ElementType.Bool], "x", "i:1"), ["ReduceMean"] = new(Wide, "six", "i:1"), ["ReduceL2"] = new(Wide, "legs", "i:1"), ["ReduceLogSum"] = new(Wide, "ones", "i:1"), ["ReduceLogSumExp"] = new(Floats, "ones", "i:1"),
        ["ArgMax"] = new(Numeric, "x") { Result = ElementType.Int64 }, ["ArgMin"] = new(Numeric, "x") { Result = ElementType.Int64 }, ["CumSum"] = new(Wide, "x", "i0:1"), ["CumProd"] = new(Wide, "x", "i0:1"), ["TopK"] = new(Numeric, "x", "i:2"),
        ["MaxPool"] = new([.. Floats, ElementType.Int8, ElementType.UInt8], "plane") { Attributes = new() { { "kernel_shape", new long[] { 2, 2 } } } }, ["Range"] = new([ElementType.Float32, ElementType.Float64, ElementType.Int16, ElementType.Int32, ElementType.Int64], "zero0", "two0", "one0"),
        ["Erf"] = new(Numeric, "zeros"), ["Shrink"] = new(Numeric, "big"), ["Einsum"] = new(Numeric, "square", "square") { Attributes = new() { { "equation", "ij,jk->ik" } } }, ["IsNaN"] = new([.. Floats, .. Float8], "x") { Result = ElementType.Bool },
        ["IsInf"] = new([.. Floats, .. Float8], "x") { Result = ElementType.Bool }, ["BitwiseAnd"] = new([.. Signed, .. Unsigned], "x", "x"), ["BitwiseNot"] = new(Signed, "x"), ["Softmax"] = new(Floats, "zeros"), ["LeakyRelu"] = new(Floats, "x"), ["Sqrt"] = new(Floats, "ones"),
        ["Exp"] = new(Floats, "zeros"), ["Floor"] = new(Floats, "x"), ["Round"] = new(Floats, "x"), ["Reciprocal"] = new(Floats, "ones"), ["Dropout"] = new([.. Floats, .. Float8], "x"), ["AveragePool"] = new(Floats, "plane") { Attributes = new() { { "kernel_shape", new long[] { 1, 1 } } } },
        ["Conv"] = new(Floats, "plane", "kernel"), ["GlobalMaxPool"] = new(Floats, "plane"), ["LayerNormalization"] = new(Floats, "x", "ones3"), ["InstanceNormalization"] = new(Floats, "cube", "four", "four"), ["LpNormalization"] = new(Floats, "x"), ["Det"] = new(Floats, "square"),
        ["Attention"] = new(Floats, "plane", "plane", "plane"), ["RMSNormalization"] = new(Floats, "x", "ones3"), ["GridSample"] = new(Floats, "plane", "f4:0"), ["LSTM"] = new(Floats, "sequence", "gates", "gates1") { Attributes = new() { { "hidden_size", 1 } } },
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Run_EveryTypeOfTheStandard_GivesTheResultOfFloat32(string opType)
    {
        Case test = Cases[opType];
        ElementType plain = test.Types.Contains(ElementType.Float32) ? ElementType.Float32 : test.Types[0];
        foreach (ElementType type in test.Types)
        {
            bool isTiny = type is ElementType.Bool or ElementType.Int2;
            Tensor expected = Run(opType, test, plain, isTiny), actual = Run(opType, test, type, isTiny);
            Assert.Equal(test.Result ?? type, actual.Type);
            if (type is ElementType.Bool && opType is "Resize") continue; // numbers between 0 and 1 have no bool
            float[] wanted = Values(Casting.Convert(expected, actual.Type)), found = Values(actual);
            Assert.True(wanted.Zip(found).All(pair => pair.First == pair.Second || MathF.Abs(pair.First - pair.Second) <= 0.01f * MathF.Abs(pair.First)), $"{opType} of {type}: {string.Join(", ", found)}, expected {string.Join(", ", wanted)}");
        }
    }

    private static float[] Values(Tensor tensor) => Casting.Convert(tensor, ElementType.Float32).Span<float>().ToArray();

    private static Tensor Run(string opType, Case test, ElementType type, bool isTiny)
    {
        var graph = new Graph(opset: 26);
        var fed = new Dictionary<string, Tensor>();
        var inputs = new List<Value?>();
        foreach (string name in test.Inputs)
        {
            if (name.Length == 0) { inputs.Add(null); continue; }
            Tensor tensor = Operand(name, type, isTiny);
            Value value = graph.AddInput(graph.UniqueName(name), tensor.Type, SymbolicShape.From(tensor.Shape));
            fed.Add(value.Name, tensor);
            inputs.Add(value);
        }
        graph.AddOutput(graph.AddNode(opType, inputs, test.Attributes ?? []).Outputs[0]);
        Tensor interpreted = new Interpreter().Run(graph, fed)[0];
        Plan plan = Plan.Compile(graph, new() { Inputs = fed.ToDictionary(pair => pair.Key, pair => pair.Value.Shape) });
        plan.Run(fed);
        Tensor planned = plan.Output(graph.Outputs[0].Name);
        Assert.Equal(interpreted.ToString(), planned.ToString());
        Assert.Equal(Values(interpreted), Values(planned));
        return interpreted;
    }

    /// <summary>An operand by its name: i integers, f floats (a digit is the rank), b bool; others of the type at hand, 0 and 1 alone where tiny types are compared.</summary>
    private static Tensor Operand(string name, ElementType type, bool isTiny)
    {
        if (name.Split(':') is [var kind, var list])
        {
            long[] numbers = [.. list.Split(',').Select(long.Parse)];
            return kind switch
            {
                "i0" => Tensor.Scalar(numbers[0]),
                "ii" => Tensor.From<long>(numbers, [1, numbers.Length]),
                "f" => Tensor.From<float>([.. numbers.Select(number => (float)number)]),
                "f4" => Tensor.From<float>([0, 0], [1, 1, 1, 2]),
                _ => Tensor.From<long>(numbers),
            };
        }
        (float[] values, long[] shape) = name switch
        {
            "x" => (isTiny ? [0, 1, 1, 1, 0, 0] : new float[] { 1, 2, 3, 0, 2, 1 }, new long[] { 2, 3 }),
            "y" => ([1, 1, 1, 1, 1, 1], [2, 3]),
            "big" => ([3, 2, 3, 2, 2, 1], [2, 3]),
            "six" => ([6, 3, 0, 3, 3, 3], [2, 3]),
            "legs" => ([3, 4, 0, 0, 4, 3], [2, 3]),
            "ones" => ([1, 0, 0, 0, 1, 0], [2, 3]),
            "zeros" => (new float[6], [2, 3]),
            "row" => ([1, 0, 1], [1, 3]),
            "ones3" => ([1, 1, 1], [3]),
            "square" => ([1, 2, 1, 0], [2, 2]),
            "pair" => ([1, 0], [1, 2]),
            "one" => ([1], [1]),
            "values" => ([0, 1], [2]),
            "four" => ([1, 1, 1, 1], [4]),
            "zero" or "zero0" => ([0], []),
            "one0" => ([1], []),
            "two0" => ([2], []),
            "cube" => ([0, 1, 1, 0], [1, 4, 1, 1]),
            "plane" => ([0, 1, 1, 1], [1, 1, 2, 2]),
            "kernel" => ([1, 1], [1, 1, 1, 2]),
            "sequence" => ([1, 0, 1], [3, 1, 1]),
            "gates" => ([1, 0, 1, 1], [1, 4, 1]),
            "gates1" => ([0, 1, 1, 0], [1, 4, 1]),
            "b" => ([1, 0, 1, 0, 0, 1], [2, 3]),
            "b1" => ([1, 0, 1], [3]),
            _ => throw new ArgumentException($"no operand '{name}'", nameof(name)),
        };
        return Casting.Convert(Tensor.From<float>(values, new(shape)), name is "b" or "b1" ? ElementType.Bool : type);
    }

    private sealed record Case(ElementType[] Types, params string[] Inputs)
    {
        public Attributes? Attributes { get; init; }

        /// <summary>Type of the result where it is not that of the operands.</summary>
        public ElementType? Result { get; init; }
    }
}
