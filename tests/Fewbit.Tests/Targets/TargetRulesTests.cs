using Fewbit.Graphs;
using Fewbit.Graphs.Passes.Quantized;
using Fewbit.Targets;
using Fewbit.Tensors;
using Fewbit.Tests.Quantization;

namespace Fewbit.Tests.Targets;

public sealed class TargetRulesTests
{
    /// <summary>For each rule: the target whose model is written, what is done to it, the target that checks it.</summary>
    private static readonly (string Rule, ExportTarget Written, Action<Graph> Break, ExportTarget Checked)[] s_cases =
    [
        ("code types", ExportTarget.OrtX64, _ => { }, ExportTarget.TensorRt),
        ("zero points", ExportTarget.OrtX64, _ => { }, ExportTarget.TensorRt),
        ("float bias", ExportTarget.OrtX64, _ => { }, ExportTarget.TensorRt),
        ("dedicated pairs", ExportTarget.OrtX64, _ => { }, ExportTarget.TensorRt),
        ("int32 bias", ExportTarget.TensorRt, _ => { }, ExportTarget.OrtArm),
        ("weight range", ExportTarget.OrtX64, _ => { }, ExportTarget.OrtX64WithoutVnni),
        ("pair sums", ExportTarget.OrtX64, _ => { }, ExportTarget.OrtX64WithoutVnni),
        ("scales", ExportTarget.OrtX64, graph => Quantizer(graph).SetInput(1, graph.AddConstant("s", Tensor.Scalar(0f))), ExportTarget.OrtX64),
        ("per tensor", ExportTarget.OrtX64, graph => Quantizer(graph).SetInput(1, graph.AddConstant("s", Tensor.From<float>([1, 2, 3]))), ExportTarget.OrtX64),
        ("channel axis", ExportTarget.OrtX64, graph => Weight(graph).Attributes.Set("axis", 1L), ExportTarget.OrtX64),
        ("weight zero points", ExportTarget.OrtX64, graph => Weight(graph).SetInput(2, graph.AddConstant("z", Tensor.From<sbyte>([1, 0, 0, 0, 0, 0, 0, 0]))), ExportTarget.OrtX64),
        ("pair", ExportTarget.OrtX64, graph => Quantizer(graph).Outputs[0].Uses[0].Node.SetInput(1, graph.AddConstant("s", Tensor.Scalar(7f))), ExportTarget.OrtX64),
        ("one sign", ExportTarget.OrtArm, UnsignedWeight, ExportTarget.OrtArm),
        ("fused", ExportTarget.OrtX64, graph => graph.AddOutput(Stem(graph).Outputs[0]), ExportTarget.OrtX64),
        ("both inputs", ExportTarget.TensorRt, graph => Stem(graph).SetInput(0, graph.Inputs[0]), ExportTarget.TensorRt),
        ("standard operators", ExportTarget.TensorRt, graph => graph.AddOutput(graph.InsertNode(graph.Nodes.Count, "com.microsoft", "Gelu", "gelu", [Stem(graph).Outputs[0]], [graph.AddValue("gelu/out")], []).Outputs[0]), ExportTarget.TensorRt),
        ("opset", ExportTarget.TensorRt, graph => graph.Opsets[""] = 21, ExportTarget.TensorRt),
    ];

    public static TheoryData<string> Rules => [.. s_cases.Select(rule => rule.Rule)];

    private static Node Stem(Graph graph) => graph.Nodes.Single(node => node.Name == "stem");

    private static Node Quantizer(Graph graph) => graph.Nodes.First(node => node.IsQuantizer());

    private static Node Weight(Graph graph) => Stem(graph).Inputs[1]!.Producer!;

    private static void UnsignedWeight(Graph graph)
    {
        Node weight = Weight(graph);
        Shape shape = weight.Inputs[0]!.Constant!.Shape;
        weight.SetInput(0, graph.AddConstant("codes", Tensor.Allocate(ElementType.UInt8, shape)));
        weight.SetInput(2, graph.AddConstant("z", Tensor.Allocate(ElementType.UInt8, [shape[0]])));
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Check_ModelThatBreaksARule_NamesRuleAndNode(string rule)
    {
        (_, ExportTarget written, Action<Graph> breaks, ExportTarget target) = s_cases.Single(known => known.Rule == rule);
        Graph model = SmallGraphs.Quantize(TargetExportTests.Residual(), new() { Target = written }).Model;
        Assert.Empty(TargetCheck.Of(model, written).Violations);
        breaks(model);
        TargetViolation found = TargetCheck.Of(model, target).Violations.First(violation => violation.Rule == rule);
        Assert.Contains(model.Nodes, node => node.ToString() == found.Node);
        Assert.NotEmpty(found.Found);
        Assert.EndsWith($"(rule {rule})", found.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Check_ConvOverOneDimension_IsNamedForTensorRt()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4, 16);
        Value weight = graph.AddConstant("w", SmallGraphs.Random([8, 4, 3], 3));
        graph.AddNode("Conv", [x, weight], null, name: "conv1d").Outputs[0].Named("Relu", "relu").Returns();
        TargetCheck check = SmallGraphs.Quantize(graph, new() { Target = ExportTarget.TensorRt }).TargetCheck!;
        Assert.Equal("Conv 'conv1d': it has 1 spatial dimensions, expected two or three (rule spatial dimensions)", Assert.Single(check.Violations).ToString());
    }

    [Fact]
    public void Check_EveryRuleOfEveryTarget_HasACase()
    {
        IEnumerable<string> covered = s_cases.Select(rule => rule.Rule).Append("spatial dimensions");
        Assert.Equal(ExportTarget.All.SelectMany(target => target.Rules).Select(rule => rule.Name).Distinct().Order(), covered.Order());
    }

    [Fact]
    public void Check_ReleaseThatDoesNotLoadTheModel_IsAViolation()
    {
        Graph model = SmallGraphs.Quantize(TargetExportTests.Residual()).Model;
        model.Opsets[""] = 21;
        TargetCheck check = TargetCheck.Of(model, ExportTarget.OrtX64, RuntimeVersion.All[0]);
        Assert.Equal(("runtime", "the model states opset 21, and ort-1.17 loads opsets up to 20: name --runtime ort-1.18 or later"), (Assert.Single(check.Violations).Rule, check.Violations[0].Found));
        Assert.Empty(TargetCheck.Of(model, ExportTarget.OrtX64).Violations);
    }
}
