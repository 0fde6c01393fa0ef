using Fewbit.Onnx.Protos;
using Fewbit.Tensors;
using static Fewbit.Fuzzing.Models.ModelParts;

namespace Fewbit.Fuzzing.Models;

/// <summary>Small models of several nodes: what passes, control flow, functions and shape arithmetic work on.</summary>
internal static class SeedNetworks
{
    public static IEnumerable<ModelProto> All() =>
        [ConvNet(), Residual(), Quantized(), QuantizedMatMul(), ShapeArithmetic(), Branch(), Loops(), NestedLoop(), Scans(), Functions(), NestedFunctions(), Perceptron(), AttentionBlock(), Constants()];

    private static ModelProto ConvNet() => Model(new GraphProto
    {
        Name = "convnet",
        Input = { Declare("x", ElementType.Float32, 1, 3, 8, 8) },
        Initializer =
        {
            Tensor("w", ElementType.Float32, [4, 3, 3, 3]), Tensor("b", ElementType.Float32, [4]), Tensor("scale", ElementType.Float32, [4], [1]), Tensor("shift", ElementType.Float32, [4]),
            Tensor("mean", ElementType.Float32, [4]), Tensor("variance", ElementType.Float32, [4], [1, 2]), Tensor("fc", ElementType.Float32, [10, 4]), Tensor("fcb", ElementType.Float32, [10]),
        },
        Node =
        {
            Node("Conv", ["x", "w", "b"], ["c"], Ints("pads", 1, 1, 1, 1)), Node("BatchNormalization", ["c", "scale", "shift", "mean", "variance"], ["n"]), Node("Relu", ["n"], ["r"]),
            Node("MaxPool", ["r"], ["p"], Ints("kernel_shape", 2, 2), Ints("strides", 2, 2)), Node("GlobalAveragePool", ["p"], ["g"]), Node("Flatten", ["g"], ["f"]), Node("Gemm", ["f", "fc", "fcb"], ["y"], Int("transB", 1)),
        },
        Output = { Declare("y", ElementType.Float32, 1, 10) },
    });

    private static ModelProto Residual() => Model(new GraphProto
    {
        Name = "residual",
        Input = { Symbolic("x", ElementType.Float32, "N", 4, 6, 6) },
        Initializer = { Tensor("w1", ElementType.Float32, [8, 4, 1, 1]), Tensor("w2", ElementType.Float32, [8, 1, 3, 3]), Tensor("w3", ElementType.Float32, [4, 8, 1, 1]), Tensor("six", ElementType.Float32, [], [6]), Tensor("zero", ElementType.Float32, [], [0]) },
        Node =
        {
            Node("Conv", ["x", "w1"], ["a"]), Node("Clip", ["a", "zero", "six"], ["b"]), Node("Conv", ["b", "w2"], ["c"], Ints("pads", 1, 1, 1, 1), Int("group", 8)),
            Node("HardSwish", ["c"], ["d"]), Node("Conv", ["d", "w3"], ["e"]), Node("Add", ["e", "x"], ["f"]), Node("ReduceMean", ["f"], ["y"]),
        },
        Output = { new ValueInfoProto { Name = "y" } },
    });

    private static ModelProto Quantized() => Model(new GraphProto
    {
        Name = "quantized",
        Input = { Declare("x", ElementType.Float32, 1, 3, 6, 6) },
        Initializer =
        {
            Tensor("s", ElementType.Float32, [], [0.02]), Tensor("z", ElementType.UInt8, [], [128]), Tensor("w", ElementType.Int8, [4, 3, 3, 3]), Tensor("ws", ElementType.Float32, [4], [0.01]),
            Tensor("wz", ElementType.Int8, [4], [0]), Tensor("b", ElementType.Int32, [4]), Tensor("bs", ElementType.Float32, [4], [0.0002]),
        },
        Node =
        {
            Node("QuantizeLinear", ["x", "s", "z"], ["q"]), Node("DequantizeLinear", ["q", "s", "z"], ["d"]), Node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], Int("axis", 0)), Node("DequantizeLinear", ["b", "bs"], ["db"], Int("axis", 0)),
            Node("Conv", ["d", "dw", "db"], ["c"], Ints("pads", 1, 1, 1, 1)), Node("Relu", ["c"], ["r"]), Node("QuantizeLinear", ["r", "s", "z"], ["q2"]), Node("DequantizeLinear", ["q2", "s", "z"], ["d2"]),
            Node("MaxPool", ["d2"], ["p"], Ints("kernel_shape", 2, 2)), Node("Add", ["d2", "d2"], ["e"]), Node("QuantizeLinear", ["e", "s", "z"], ["q3"]), Node("DequantizeLinear", ["q3", "s", "z"], ["y"]),
        },
        Output = { new ValueInfoProto { Name = "y" }, new ValueInfoProto { Name = "p" } },
    }, opset: 13);

    private static ModelProto QuantizedMatMul() => Model(new GraphProto
    {
        Name = "qmatmul",
        Input = { Symbolic("x", ElementType.Float32, "N", 8) },
        Initializer = { Tensor("s", ElementType.Float32, [], [0.02]), Tensor("z", ElementType.Int8, [], [3]), Tensor("w", ElementType.Int4, [8, 6]), Tensor("ws", ElementType.Float32, [2, 6], [0.1]) },
        Node =
        {
            Node("QuantizeLinear", ["x", "s", "z"], ["q"]), Node("DequantizeLinear", ["q", "s", "z"], ["d"]), Node("DequantizeLinear", ["w", "ws"], ["dw"], Int("axis", 0), Int("block_size", 4)), Node("MatMul", ["d", "dw"], ["m"]),
            Node("Softmax", ["m"], ["t"]), Node("QuantizeLinear", ["t", "s", "z"], ["y"]),
        },
        Output = { new ValueInfoProto { Name = "y" } },
    }, opset: 21);

    private static ModelProto ShapeArithmetic() => Model(new GraphProto
    {
        Name = "shapes",
        Input = { Symbolic("x", ElementType.Float32, "N", 3, 4) },
        Initializer = { Tensor("i", ElementType.Int64, [1], [0]), Tensor("m", ElementType.Int64, [1], [-1]), Tensor("two", ElementType.Int64, [1], [2]) },
        Node =
        {
            Node("Shape", ["x"], ["s"]), Node("Gather", ["s", "i"], ["n"]), Node("Concat", ["n", "m"], ["t"], Int("axis", 0)), Node("Reshape", ["x", "t"], ["r"]), Node("Mul", ["n", "two"], ["k"]), Node("Concat", ["two", "k"], ["rep"], Int("axis", 0)),
            Node("Tile", ["r", "rep"], ["tile"]), Node("ConstantOfShape", ["k"], ["fill"]), Node("NonZero", ["tile"], ["nz"]), Node("Transpose", ["nz"], ["nzt"]), Node("GatherND", ["tile", "nzt"], ["y"]),
        },
        Output = { new ValueInfoProto { Name = "y" }, new ValueInfoProto { Name = "fill" } },
    });

    private static ModelProto Branch() => Model(new GraphProto
    {
        Name = "branch",
        Input = { Declare("x", ElementType.Float32, 2, 3), Declare("c", ElementType.Bool) },
        Node =
        {
            Node("If", ["c"], ["y"], Body("then_branch", new GraphProto { Name = "then", Node = { Node("Relu", ["x"], ["a"]) }, Output = { Declare("a", ElementType.Float32, 2, 3) } }),
                Body("else_branch", new GraphProto { Name = "else", Node = { Node("Transpose", ["x"], ["b"]) }, Output = { new ValueInfoProto { Name = "b" } } })),
            Node("Abs", ["y"], ["z"]),
        },
        Output = { new ValueInfoProto { Name = "z" } },
    });

    private static ModelProto Loops() => Model(new GraphProto
    {
        Name = "loop",
        Input = { Declare("x", ElementType.Float32, 2) },
        Initializer = { Tensor("n", ElementType.Int64, [], [3]), Tensor("go", ElementType.Bool, [], [1]), Tensor("one", ElementType.Float32, [], [1]) },
        Node = { Node("Loop", ["n", "go", "x"], ["last", "all"], Body("body", LoopBody("i", "Add"))), Node("ReduceSum", ["all"], ["y"]) },
        Output = { new ValueInfoProto { Name = "y" }, new ValueInfoProto { Name = "last" } },
    });

    private static GraphProto LoopBody(string prefix, string op) => new()
    {
        Name = $"{prefix}body",
        Input = { Declare($"{prefix}n", ElementType.Int64), Declare($"{prefix}go", ElementType.Bool), Declare($"{prefix}v", ElementType.Float32, 2) },
        Node = { Node(op, [$"{prefix}v", "one"], [$"{prefix}w"]), Node("Identity", [$"{prefix}w"], [$"{prefix}o"]), Node("Identity", [$"{prefix}go"], [$"{prefix}g"]) },
        Output = { Declare($"{prefix}g", ElementType.Bool), Declare($"{prefix}w", ElementType.Float32, 2), Declare($"{prefix}o", ElementType.Float32, 2) },
    };

    private static ModelProto NestedLoop()
    {
        GraphProto outer = LoopBody("o", "Mul");
        outer.Node.Insert(0, Node("Loop", ["n", "", "ov"], ["inner", "scan"], Body("body", LoopBody("i", "Sub"))));
        outer.Node[1].Input[0] = "inner";
        return Model(new GraphProto
        {
            Name = "nested",
            Input = { Declare("x", ElementType.Float32, 2), Declare("n", ElementType.Int64) },
            Initializer = { Tensor("one", ElementType.Float32, [], [1]) },
            Node = { Node("Loop", ["n", "", "x"], ["y", "all"], Body("body", outer)) },
            Output = { new ValueInfoProto { Name = "y" }, new ValueInfoProto { Name = "all" } },
        });
    }

    private static ModelProto Scans() => Model(new GraphProto
    {
        Name = "scan",
        Input = { Declare("s", ElementType.Float32, 2), Declare("x", ElementType.Float32, 3, 2) },
        Node =
        {
            Node("Scan", ["s", "x"], ["last", "all"], Int("num_scan_inputs", 1), Ints("scan_input_axes", 0), Ints("scan_output_directions", 1), Body("body", new GraphProto
            {
                Name = "body",
                Input = { Declare("a", ElementType.Float32, 2), Declare("e", ElementType.Float32, 2) },
                Node = { Node("Add", ["a", "e"], ["b"]), Node("Tanh", ["b"], ["c"]) },
                Output = { Declare("b", ElementType.Float32, 2), Declare("c", ElementType.Float32, 2) },
            })),
        },
        Output = { new ValueInfoProto { Name = "last" }, new ValueInfoProto { Name = "all" } },
    });

    private static ModelProto Functions()
    {
        ModelProto model = Model(new GraphProto
        {
            Name = "functions",
            Input = { Declare("x", ElementType.Float32, 2, 3) },
            Node = { Call("Scaled", ["x"], ["a"], new AttributeProto { Name = "alpha", Type = AttributeProto.Types.AttributeType.Float, F = 0.5f }), Call("Scaled", ["a"], ["y"]) },
            Output = { new ValueInfoProto { Name = "y" } },
        });
        NodeProto elu = Node("Elu", ["v"], ["w"]);
        elu.Attribute.Add(new AttributeProto { Name = "alpha", RefAttrName = "alpha", Type = AttributeProto.Types.AttributeType.Float });
        model.Functions.Add(new FunctionProto
        {
            Name = "Scaled", Domain = "local", Input = { "v" }, Output = { "o" }, Attribute = { "alpha" }, Node = { elu, Node("Add", ["w", "v"], ["o"]) },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = SeedNode.DefaultOpset } },
        });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
        return model;
    }

    private static ModelProto NestedFunctions()
    {
        ModelProto model = Functions();
        model.Functions.Add(new FunctionProto
        {
            Name = "Twice", Domain = "local", Input = { "p" }, Output = { "q" }, Node = { Call("Scaled", ["p"], ["m"]), Call("Scaled", ["m"], ["q"]) },
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = SeedNode.DefaultOpset }, new OperatorSetIdProto { Domain = "local", Version = 1 } },
        });
        model.Graph.Node[1].OpType = "Twice";
        return model;
    }

    private static ModelProto Perceptron() => Model(new GraphProto
    {
        Name = "perceptron",
        Input = { Symbolic("x", ElementType.Float32, "batch", 5) },
        Initializer = { Tensor("w1", ElementType.Float32, [5, 7]), Tensor("b1", ElementType.Float32, [7]), Tensor("w2", ElementType.Float16, [7, 3]) },
        Node = { Node("MatMul", ["x", "w1"], ["a"]), Node("Add", ["a", "b1"], ["b"]), Node("Relu", ["b"], ["c"]), Node("Cast", ["w2"], ["w"], Int("to", 1)), Node("MatMul", ["c", "w"], ["d"]), Node("LogSoftmax", ["d"], ["y"], Int("axis", -1)), Node("ArgMax", ["y"], ["best"], Int("axis", 1)) },
        Output = { new ValueInfoProto { Name = "y" }, new ValueInfoProto { Name = "best" } },
    });

    private static ModelProto AttentionBlock() => Model(new GraphProto
    {
        Name = "attention",
        Input = { Symbolic("ids", ElementType.Int64, "N", 4) },
        Initializer = { Tensor("table", ElementType.Float32, [100, 6]), Tensor("w", ElementType.Float32, [6, 6]), Tensor("g", ElementType.Float32, [6], [1]), Tensor("b", ElementType.Float32, [6]) },
        Node =
        {
            Node("Gather", ["table", "ids"], ["e"]), Node("LayerNormalization", ["e", "g", "b"], ["n"]), Node("MatMul", ["n", "w"], ["k"]), Node("Transpose", ["k"], ["kt"], Ints("perm", 0, 2, 1)), Node("MatMul", ["n", "kt"], ["a"]),
            Node("Softmax", ["a"], ["p"]), Node("MatMul", ["p", "n"], ["v"]), Node("Add", ["v", "e"], ["y"]),
        },
        Output = { new ValueInfoProto { Name = "y" } },
    });

    private static ModelProto Constants() => Model(new GraphProto
    {
        Name = "constants",
        Input = { Declare("x", ElementType.Float32, 2, 3) },
        Node =
        {
            Node("Constant", [], ["a"], Ints("value_ints", 3, 2)), Node("Constant", [], ["b"], new AttributeProto { Name = "value", Type = AttributeProto.Types.AttributeType.Tensor, T = Tensor("", ElementType.Float32, [2, 1]) }),
            Node("Reshape", ["x", "a"], ["r"]), Node("MatMul", ["r", "b"], ["m"]), Node("Squeeze", ["m"], ["y"]),
        },
        Output = { new ValueInfoProto { Name = "y" } },
    });

    private static NodeProto Call(string function, string[] inputs, string[] outputs, params AttributeProto[] attributes)
    {
        NodeProto node = Node(function, inputs, outputs, attributes);
        node.Domain = "local";
        return node;
    }

    private static ValueInfoProto Symbolic(string name, ElementType type, string batch, params ReadOnlySpan<long> dims)
    {
        ValueInfoProto info = Declare(name, type, dims);
        info.Type.TensorType.Shape.Dim.Insert(0, new TensorShapeProto.Types.Dimension { DimParam = batch });
        return info;
    }
}
