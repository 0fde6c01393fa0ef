using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests;

/// <summary>Lengths that are symbols: their arithmetic, and what operators make of them.</summary>
public class SymbolicShapeTests
{
    [Fact]
    public void Dim_Arithmetic_HasOneFormForEqualLengths()
    {
        Dim n = "N", h = "H", past = "past + 1";
        Assert.Equal("N + 1", (n + 1).ToString());
        Assert.Equal(n + h, h + n);
        Assert.Equal(n, n + 1 - 1);
        Assert.Equal("2 * N", (n + n).ToString());
        Assert.Equal(h * n * 2, 2 * n * h);
        Assert.Equal(n * h + n, n * (h + 1));
        Assert.Equal("past", (past - 1).ToString());
        Assert.Equal("4 - N", (4 - n).ToString());
        Assert.Equal(0, n - n);
        Assert.Equal(h, n * h / n);
        Assert.Equal(n + 2, (3 * n + 6) / 3);
        Assert.Equal("batch size + 1", ((Dim)"batch size" + 1).ToString());
    }

    [Fact]
    public void Dim_WithoutAKnownForm_IsUnknown()
    {
        Dim n = "N";
        Assert.Equal(Dim.Unknown, n + Dim.Unknown);
        Assert.Equal(Dim.Unknown, n / 2);
        Assert.Equal(Dim.Unknown, n / 0);
        Assert.Equal(Dim.Unknown, 3 - (Dim)5);
        Assert.Equal(Dim.Unknown, 0 - n);
        Assert.Equal(Dim.Unknown, n * (long.MaxValue / 2) * 4);
        Dim sum = n;
        for (int i = 0; i < 20; i++) sum += $"s{i}";
        Assert.Equal(Dim.Unknown, sum);
    }

    [Fact]
    public void Infer_CacheThatGrows_NamesItsLength()
    {
        var graph = new Graph(opset: 21);
        Value past = graph.AddInput("past", ElementType.Float32, ["B", 4, "P", 16]), step = graph.AddInput("step", ElementType.Float32, ["B", 4, "T", 16]);
        Value keys = graph.AddNode("Concat", [past, step], new() { { "axis", 2 } }).Outputs[0];
        Value scores = step.Apply("MatMul", keys.Apply("Transpose", new Attributes { { "perm", new long[] { 0, 1, 3, 2 } } }));
        Assert.Equal("[B, 4, P + T, 16]", keys.Shape!.ToString());
        Assert.Equal("[B, 4, T, P + T]", scores.Shape!.ToString());
        Assert.Equal("[B, 4, T, P + T]", (scores + graph.AddInput("mask", ElementType.Float32, ["B", 1, "T", "P + T"])).Shape!.ToString());
    }

    [Fact]
    public void Infer_ShapeArithmetic_ReachesReshapeExpandAndGenerators()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", "C", "H", "W"]);
        Value Ints(params long[] numbers) => graph.AddConstant("c", Tensor.From<long>(numbers));
        Value Length(int axis) => x.Apply("Shape").Apply("Gather", graph.AddConstant("i", Tensor.Scalar((long)axis)));
        Value Vector(Value scalar) => scalar.Apply("Unsqueeze", Ints(0));
        Value Join(params Value[] parts) => graph.AddNode("Concat", parts, new() { { "axis", 0 } }).Outputs[0];
        Value pixels = Length(2) * Length(3);
        Value flat = x.Apply("Reshape", Join(Vector(Length(0)), Vector(Length(1)), Vector(pixels)));
        Assert.Equal("[N, C, H * W]", flat.Shape!.ToString());
        Assert.Equal("[N, C, H * W]", x.Apply("Reshape", Join(Vector(Length(0)), Vector(Length(1)), Ints(-1))).Shape!.ToString());
        Assert.Equal("[N, C * H * W]", x.Apply("Flatten").Shape!.ToString());
        Assert.Equal("[N, C, H, W]", flat.Apply("Reshape", Join(x.Apply("Shape"))).Shape!.ToString());
        Assert.Equal("[N, 2 * C]", graph.AddConstant("zero", Tensor.From([0f], [1, 1])).Apply("Expand", Join(Vector(Length(0)), Vector(Length(1) * graph.AddConstant("two", Tensor.Scalar(2L))))).Shape!.ToString());
        Assert.Equal("[H + 1]", Vector(Length(2) + graph.AddConstant("one", Tensor.Scalar(1L))).Apply("ConstantOfShape").Shape!.ToString());
        Assert.Equal("[N, C, 2 * H, W]", x.Apply("Tile", Ints(1, 1, 2, 1)).Shape!.ToString());
    }

    [Fact]
    public void Infer_SymbolsThatMayBeOne_BroadcastToWhatIsCertain()
    {
        var graph = new Graph(opset: 21);
        Value x = graph.AddInput("x", ElementType.Float32, ["N", "T", 8]), y = graph.AddInput("y", ElementType.Float32, ["N", "S", 1]);
        Assert.Equal("[N, ?, 8]", (x + y).Shape!.ToString());
        Assert.Equal("[N, 5, 8]", (x + graph.AddInput("z", ElementType.Float32, [5, 8])).Shape!.ToString());
    }
}
