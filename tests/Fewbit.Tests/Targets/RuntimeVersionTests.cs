using Fewbit.Graphs;
using Fewbit.Targets;
using Fewbit.Tensors;

namespace Fewbit.Tests.Targets;

public sealed class RuntimeVersionTests
{
    [Fact]
    public void Parse_EveryName_GivesTheReleaseAgain()
    {
        Assert.Equal(14, RuntimeVersion.All.Count);
        Assert.All(RuntimeVersion.All, version => Assert.Equal(version, RuntimeVersion.Parse(version.Name)));
        Assert.Equal("ort-1.17", RuntimeVersion.All[0].Name);
        Assert.Equal("ort-1.30", RuntimeVersion.Newest.Name);
    }

    [Theory]
    [InlineData("ort-1.16")]
    [InlineData("ort-1.170")]
    [InlineData("1.17")]
    public void Parse_UnknownName_SaysWhichAreKnown(string name) =>
        Assert.StartsWith($"there is no runtime '{name}', expected ort-1.17 to ort-1.30", Assert.Throws<ArgumentException>(() => RuntimeVersion.Parse(name)).Message, StringComparison.Ordinal);

    [Fact]
    public void All_FromOneReleaseToTheNext_NeverLoadLess()
    {
        foreach ((RuntimeVersion older, RuntimeVersion newer) in RuntimeVersion.All.Zip(RuntimeVersion.All.Skip(1)))
            Assert.True(newer.Minor == older.Minor + 1 && newer.MaxOpset >= older.MaxOpset && newer.MaxIrVersion >= older.MaxIrVersion, newer.Name);
    }

    [Theory]
    [InlineData(ElementType.Int8, "ort-1.17")]
    [InlineData(ElementType.Float8E4M3FN, "ort-1.17")]
    [InlineData(ElementType.UInt16, "ort-1.18")]
    [InlineData(ElementType.Int4, "ort-1.18")]
    [InlineData(ElementType.UInt2, "ort-1.24")]
    public void FirstWith_Codes_IsTheReleaseThatLoadsTheirOpset(ElementType codes, string first) => Assert.Equal(first, RuntimeVersion.FirstWith(codes)!.Name);

    [Fact]
    public void WhyNot_CodesThatComeLater_NamesTheReleaseThatHasThem()
    {
        RuntimeVersion old = RuntimeVersion.Parse("ort-1.17");
        Assert.Equal("int4 codes need opset 21, and ort-1.17 loads opsets up to 20: name --runtime ort-1.18 or later, or take int8 codes", old.WhyNot(ElementType.Int4));
        Assert.Null(RuntimeVersion.Parse("ort-1.18").WhyNot(ElementType.Int4));
        Assert.Equal("float4e2m1 codes have no kernel on a CPU in any release of ONNX Runtime up to ort-1.30", old.WhyNot(ElementType.Float4E2M1));
    }

    [Fact]
    public void WhyNot_LaterOpset_NamesTheReleaseThatLoadsIt()
    {
        var graph = new Graph("late", 21);
        graph.AddOutput(graph.AddNode("Relu", [graph.AddInput("x", ElementType.Float32, new SymbolicShape([4]))], null, name: "relu").Outputs[0]);
        Assert.Equal("the model states opset 21, and ort-1.17 loads opsets up to 20: name --runtime ort-1.18 or later", RuntimeVersion.Parse("ort-1.17").WhyNot(graph));
        Assert.Null(RuntimeVersion.Newest.WhyNot(graph));
    }
}
