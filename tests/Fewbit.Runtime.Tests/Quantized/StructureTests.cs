using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Runtime.Tests.Quantized;

/// <summary>Which groups fuse: each small graph must run with the operators that ONNX Runtime makes of it, and give its codes.</summary>
public class StructureTests
{
    private static readonly Dictionary<string, Action<QdqBuilder>> Cases = new(StringComparer.Ordinal)
    {
        ["Relu before a zero point that is not the lowest code"] = b => b.Output(b.Requantize(Conv(b, Start(b)).Apply("Relu"), 0.03f, 120)),
        ["Relu before the lowest code"] = b => b.Output(b.Requantize(Conv(b, Start(b)).Apply("Relu"), 0.03f, 0)),
        ["Clip that the quantizer's range lies in"] = b => b.Output(b.Requantize(Clip(b, Conv(b, Start(b)), 0, 6), 6f / 255, 0)),
        ["Clip that is tighter than the quantizer"] = b => b.Output(b.Requantize(Clip(b, Conv(b, Start(b)), 0, 6), 8f / 255, 0)),
        ["Relu and MaxPool before the quantizer"] = b => b.Output(b.Requantize(MaxPool(Conv(b, Start(b)).Apply("Relu")), 0.03f, 0)),
        ["MaxPool on codes"] = b => { Value x = Start(b); b.Output(Conv(b, b.RequantizeLike(MaxPool(x), x))); },
        ["MaxPool between other quantizations"] = b => b.Output(b.Requantize(MaxPool(b.Requantize(Conv(b, Start(b)))))),
        ["float output of a Conv is returned"] = b => { Value y = Conv(b, Start(b)); b.Output(y); b.Output(b.Requantize(y)); },
        ["float output of a Conv has a second reader"] = b => { Value y = Conv(b, Start(b)); b.Output(b.Requantize(y)); b.Output(b.Requantize(y.Apply("Relu"), 0.02f, 0)); },
        ["two equal quantizers of one Conv"] = b => { Value y = Conv(b, Start(b)), a = b.Requantize(y, 0.03f, 100), c = b.Requantize(y, 0.03f, 100); b.Output(b.Requantize(a + c)); },
        ["two quantizers of one Conv that share their constants"] = b =>
        {
            Value y = Conv(b, Start(b)), a = b.Requantize(y, 0.03f, 100), c = b.RequantizeLike(y, a);
            b.Output(b.Requantize(a + c));
        },
        ["two quantizers of one Conv"] = b => { Value y = Conv(b, Start(b)), a = b.Requantize(y, 0.03f, 100), c = b.Requantize(y, 0.02f, 100); b.Output(b.Requantize(a + c)); },
        ["float Add behind Convs"] = b => { Value x = Start(b); b.Output(b.Requantize((Conv(b, x) + Conv(b, x)).Apply("Relu"), 0.03f, 0)); },
        ["residual Add"] = b => { Value x = Start(b), y = b.Requantize(Conv(b, x)); b.Output(b.Requantize((y + x).Apply("Relu"), 0.03f, 0)); },
        ["ReduceMean stays float"] = b => b.Output(b.Requantize(b.Requantize(Conv(b, Start(b))).Apply("ReduceMean", new Attributes { { "axes", new long[] { 2, 3 } } }), 0.01f, 128)),
        ["Clip on codes"] = b =>
        {
            Value codes = b.Quantize(Conv(b, Start(b)).Apply("Relu"), 0.2f, 0);
            Value clipped = codes.Apply("Clip", b.Graph.AddConstant("low", Tensor.Scalar((byte)0)), b.Graph.AddConstant("high", Tensor.Scalar((byte)15)));
            b.Output(b.Requantize(Conv(b, clipped.Apply("DequantizeLinear", codes.Producer!.Inputs[1], codes.Producer.Inputs[2]))));
        },
        ["Sub and Div stay float"] = b => { Value x = Start(b), y = b.Requantize(Conv(b, x)); b.Output(b.Requantize(x - y)); },
        ["one value on both sides of Mul"] = b => { Value x = Start(b); b.Output(b.Requantize(x * x)); },
        ["quantized twice"] = b => b.Output(b.Requantize(Conv(b, b.Requantize(b.Requantize(b.Input(2, 8, 6, 6), 0.05f, 100), 0.02f, 130)))),
        ["float bias"] = b => { Value x = Start(b); b.Output(b.Requantize(x.Apply("Conv", Pads(), b.Weight([8, 8, 3, 3], 0), b.Graph.AddConstant("bias", b.Normal([8], 0.5f))))); },
        ["float weight"] = b => { Value x = Start(b); b.Output(b.Requantize(x.Apply("Conv", Pads(), b.Graph.AddConstant("weight", b.Normal([8, 8, 3, 3], 0.1f))))); },
        ["float weight and bias"] = b => { Value x = Start(b); b.Output(b.Requantize(x.Apply("Conv", Pads(), b.Graph.AddConstant("weight", b.Normal([8, 8, 3, 3], 0.1f)), b.Graph.AddConstant("bias", b.Normal([8], 0.5f))))); },
        ["float weight and bias of a ConvTranspose"] = b => { Value x = Start(b); b.Output(b.Requantize(x.Apply("ConvTranspose", b.Graph.AddConstant("weight", b.Normal([8, 5, 2, 2], 0.1f)), b.Graph.AddConstant("bias", b.Normal([5], 0.5f))))); },
        ["float weight of a grouped ConvTranspose and Relu"] = b => { Value x = Start(b); b.Output(b.Requantize(x.Apply("ConvTranspose", new Attributes { { "group", 2L } }, b.Graph.AddConstant("weight", b.Normal([8, 3, 3, 3], 0.1f))).Apply("Relu"), 0.03f, 0)); },
        ["float weight of a Gemm without quantizer"] = b => { Value x = b.Requantize(b.Input(4, 20)); b.Output(x.Apply("Gemm", b.Graph.AddConstant("weight", b.Normal([20, 5], 0.1f)))); },
        ["weight quantized in the graph"] = b => { Value x = Start(b); b.Output(b.Requantize(x.Apply("Conv", Pads(), b.Requantize(b.Graph.AddConstant("weight", b.Normal([8, 8, 3, 3], 0.1f)), 0.002f, 0, ElementType.Int8)))); },
        ["MatMul and a float bias"] = b => { Value x = b.Requantize(b.Input(4, 20)); b.Output(b.Requantize(x.Apply("MatMul", b.Weight([20, 6], 1)) + b.Graph.AddConstant("bias", b.Normal([6], 0.5f)))); },
        ["MatMul and a float bias of a stack"] = b => { Value x = b.Requantize(b.Input(3, 4, 20)); b.Output(b.Requantize(x.Apply("MatMul", b.Weight([20, 6], 1)) + b.Graph.AddConstant("bias", b.Normal([6], 0.5f)))); },
        ["Gemm with a float bias"] = b => { Value x = b.Requantize(b.Input(4, 20)); b.Output(b.Requantize(x.Apply("Gemm", b.Weight([20, 6], 1), b.Graph.AddConstant("bias", b.Normal([6], 0.5f))))); },
        ["Gemm with a float bias, not quantized"] = b => { Value x = b.Requantize(b.Input(4, 20)); b.Output(x.Apply("Gemm", b.Weight([20, 6], 1), b.Graph.AddConstant("bias", b.Normal([6], 0.5f)))); },
        ["Gemm with alpha"] = b => { Value x = b.Requantize(b.Input(4, 20)), w = b.Weight([20, 6], 1); b.Output(b.Requantize(x.Apply("Gemm", new Attributes { { "alpha", 0.7f } }, w))); },
        ["Gemm with transposed input"] = b => { Value x = b.Requantize(b.Input(20, 4)), w = b.Weight([20, 6], 1); b.Output(b.Requantize(x.Apply("Gemm", new Attributes { { "transA", 1L } }, w, b.Bias(x, w, 6)))); },
        ["Conv in one dimension"] = b => { Value x = b.Requantize(b.Input(2, 8, 20)), w = b.Weight([6, 8, 3], 0); b.Output(b.Requantize(x.Apply("Conv", w, b.Bias(x, w, 6)))); },
        ["Conv in three dimensions"] = b => { Value x = b.Requantize(b.Input(1, 4, 5, 6, 7)), w = b.Weight([6, 4, 3, 3, 3], 0); b.Output(b.Requantize(x.Apply("Conv", w, b.Bias(x, w, 6)))); },
        ["uint8 weight with a zero point"] = b => b.Output(b.Requantize(Start(b).Apply("Conv", Pads(), b.Weight([8, 8, 3, 3], null, ElementType.UInt8, 131)))),
        ["int8 weight with a zero point"] = b => b.Output(b.Requantize(Start(b).Apply("Conv", Pads(), b.Weight([8, 8, 3, 3], null, ElementType.Int8, 7)))),
        ["MatMul and a float bias, not quantized"] = b => { Value x = b.Requantize(b.Input(4, 20)); b.Output(x.Apply("MatMul", b.Weight([20, 6], 1)) + b.Graph.AddConstant("bias", b.Normal([6], 0.5f))); },
        ["Where with a scalar constant"] = b => b.Output(b.Requantize(b.Graph.AddInput("condition", ElementType.Bool, [8, 1, 6]).Apply("Where", Start(b), b.Graph.AddConstant("number", Tensor.Scalar(-0.7f))))),
        ["Where with a scalar constant first"] = b => b.Output(b.Requantize(b.Graph.AddInput("condition", ElementType.Bool, [8, 1, 6]).Apply("Where", b.Graph.AddConstant("number", Tensor.Scalar(0.7f)), Start(b)))),
        ["Add of a constant of codes"] = b => b.Output(b.Requantize(Start(b) + b.Weight([8, 1, 1], null, b.Activations))),
        ["Mul by a constant of codes of the other sign"] = b => b.Output(b.Requantize(Start(b) * b.Weight([8, 1, 1], null, ElementType.Int8))),
        ["quantized twice with one zero point"] = b => b.Output(b.Requantize(Conv(b, b.Requantize(b.Requantize(b.Input(2, 8, 6, 6), 0.05f, 100), 0.02f, 100)))),
        ["Softmax behind a Gemm"] = b => { Value x = b.Requantize(b.Input(4, 20)); b.Output(b.Requantize(b.Requantize(x.Apply("Gemm", b.Weight([20, 6], 1))).Apply("Softmax"), 1f / 256, 0)); },
    };

    private static readonly Dictionary<string, Func<QdqBuilder, Value, Value>> Movers = new(StringComparer.Ordinal)
    {
        ["Reshape"] = (b, x) => x.Apply("Reshape", Longs(b, 2, -1)),
        ["Transpose"] = (b, x) => x.Apply("Transpose", new Attributes { { "perm", new long[] { 0, 2, 3, 1 } } }),
        ["Slice"] = (b, x) => x.Apply("Slice", Longs(b, 1), Longs(b, 5), Longs(b, 2), Longs(b, 2)),
        ["Gather"] = (b, x) => x.Apply("Gather", new Attributes { { "axis", 1L } }, Longs(b, 3, 0, 3)),
        ["Flatten"] = (b, x) => x.Apply("Flatten"),
        ["Unsqueeze"] = (b, x) => x.Apply("Unsqueeze", Longs(b, 0)),
        ["Squeeze"] = (b, x) => x.Apply("Unsqueeze", Longs(b, 0)).Apply("Squeeze", Longs(b, 0)),
        ["Expand"] = (b, x) => x.Apply("Expand", Longs(b, 3, 1, 1, 1, 1)),
        ["MaxPool"] = (b, x) => MaxPool(x),
        ["ReduceMax"] = (b, x) => x.Apply("ReduceMax", new Attributes { { "axes", new long[] { 2 } } }),
        ["ReduceMin"] = (b, x) => x.Apply("ReduceMin", new Attributes { { "axes", new long[] { 2 } } }),
        ["Resize nearest"] = (b, x) => Resize(b, x, "nearest"),
        ["Resize linear"] = (b, x) => Resize(b, x, "linear"),
        ["Tile"] = (b, x) => x.Apply("Tile", Longs(b, 1, 2, 1, 1)),
        ["GatherElements"] = (b, x) => x.Apply("GatherElements", b.Graph.AddConstant("at", Tensor.From<long>([0, 1, 1, 0], [1, 1, 2, 2]))),
        ["DepthToSpace"] = (b, x) => x.Apply("DepthToSpace", new Attributes { { "blocksize", 2L } }),
        ["SpaceToDepth"] = (b, x) => x.Apply("SpaceToDepth", new Attributes { { "blocksize", 2L } }),
        ["Identity"] = (b, x) => x.Apply("Identity"),
        ["Pad"] = (b, x) => x.Apply("Pad", Longs(b, 0, 0, 1, 1, 0, 0, 1, 1)),
    };

    public static IEnumerable<object[]> CaseNames => Cases.Keys.Select(name => new object[] { name });

    public static IEnumerable<object[]> MoverNames => Movers.Keys.Select(name => new object[] { name });

    [RuntimeTheory]
    [MemberData(nameof(CaseNames))]
    public void Group_OfThisForm_FusesAsInOnnxRuntime(string name)
    {
        for (int seed = 0; seed < 3; seed++)
        {
            var builder = new QdqBuilder(seed);
            Cases[name](builder);
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectSameOperatorsAndCodes();
        }
    }

    [RuntimeTheory]
    [MemberData(nameof(MoverNames))]
    public void Mover_WithSharedOrOtherConstants_FusesAsInOnnxRuntime(string name)
    {
        foreach (bool isShared in (bool[])[true, false])
        {
            foreach (bool isBehindConv in (bool[])[true, false])
            {
                var builder = new QdqBuilder(5);
                Value x = isBehindConv ? builder.Requantize(Conv(builder, Start(builder))) : Start(builder), moved = Movers[name](builder, x);
                builder.Output(isShared ? builder.RequantizeLike(moved, x) : builder.Requantize(moved));
                RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectSameOperatorsAndCodes();
            }
        }
    }

    [RuntimeTheory]
    [MemberData(nameof(MoverNames))]
    public void Mover_BetweenConvAndQuantizer_FusesAsInOnnxRuntime(string name)
    {
        foreach (int opset in (int[])[13, 19, 21])
        {
            if (opset > 13 && name.StartsWith("Reduce", StringComparison.Ordinal)) continue; // axes became an input
            var builder = new QdqBuilder(6, opset);
            builder.Output(builder.Requantize(Movers[name](builder, Conv(builder, Start(builder)))));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectSameOperatorsAndCodes();
        }
    }

    [RuntimeFact]
    public void Split_WithSharedConstants_RunsOnCodes()
    {
        foreach (bool isShared in (bool[])[true, false])
        {
            var builder = new QdqBuilder(1);
            Value x = Start(builder);
            IReadOnlyList<Value> parts = builder.Graph.AddNode("Split", [x, Longs(builder, 3, 5)], new Attributes { { "axis", 1L } }, 2).Outputs;
            foreach (Value part in parts) builder.Output(isShared ? builder.RequantizeLike(part, x) : builder.Requantize(part));
            RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectSameOperatorsAndCodes();
        }
    }

    [RuntimeFact]
    public void ArgMax_OfDequantizedCodes_RunsOnCodes()
    {
        var builder = new QdqBuilder(1);
        builder.Output(Start(builder).Apply("ArgMax", new Attributes { { "axis", 1L } }));
        RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectSameOperatorsAndCodes();
    }

    [RuntimeTheory]
    [MemberData(nameof(CaseNames))]
    public void SignedActivations_FuseAsInOnnxRuntime(string name)
    {
        var builder = new QdqBuilder(3) { Activations = ElementType.Int8 };
        if (name.Contains("Clip on codes", StringComparison.Ordinal)) return; // its limits are uint8
        Cases[name](builder);
        RuntimeComparison.Of(builder.Graph, builder.Feeds()).ExpectSameOperatorsAndCodes();
    }

    private static Value Start(QdqBuilder b) => b.Requantize(b.Input(2, 8, 6, 6));

    private static Value Conv(QdqBuilder b, Value x)
    {
        Value w = b.Weight([8, 8, 3, 3], 0);
        return x.Apply("Conv", Pads(), w, b.Bias(x, w, 8));
    }

    private static Attributes Pads() => new() { { "pads", new long[] { 1, 1, 1, 1 } } };

    private static Value MaxPool(Value x) => x.Apply("MaxPool", new Attributes { { "kernel_shape", new long[] { 2, 2 } }, { "strides", new long[] { 2, 2 } } });

    private static Value Clip(QdqBuilder b, Value x, float low, float high) => x.Apply("Clip", b.Graph.AddConstant("low", Tensor.Scalar(low)), b.Graph.AddConstant("high", Tensor.Scalar(high)));

    private static Value Longs(QdqBuilder b, params long[] values) => b.Graph.AddConstant("longs", Tensor.From<long>(values));

    private static Value Resize(QdqBuilder b, Value x, string mode) => x.Apply("Resize",
        new Attributes { { "mode", mode }, { "coordinate_transformation_mode", "asymmetric" }, { "nearest_mode", "floor" } }, null, b.Graph.AddConstant("scales", Tensor.From<float>(1, 1, 2, 2)));
}
