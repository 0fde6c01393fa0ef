using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Quantization;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Quantization;

public sealed class WeightOnlyTests
{
    // One engine sums in another order than the other.
    private const double SummationError = 1e-5;

    // Activations rounded to 8 bits by the runtime.
    private const double Level4Error = 0.03;

    private static WeightOnlyOptions Options(string format, int block, bool isSymmetric, WeightOnlyForm form, int level = 0) => new()
    {
        Weights = IntegerFormat.Parse(format), BlockSize = block, Scheme = isSymmetric ? QuantizationScheme.Symmetric : QuantizationScheme.Affine, Form = form, AccuracyLevel = level,
    };

    public static TheoryData<string, int, bool, WeightOnlyForm> Cases()
    {
        var cases = new TheoryData<string, int, bool, WeightOnlyForm>();
        foreach (string format in new[] { "int2", "uint2", "int4", "uint4", "int8", "uint8" })
        {
            foreach (int block in new[] { 16, 32, 256 })
            {
                foreach (bool isSymmetric in new[] { true, false })
                {
                    cases.Add(format, block, isSymmetric, WeightOnlyForm.DequantizeLinear);
                    cases.Add(format, block, isSymmetric, WeightOnlyForm.MatMulNBits);
                }
            }
        }
        return cases;
    }

    [RuntimeTheory]
    [MemberData(nameof(Cases))]
    public void WeightOnly_EveryFormat_RunsInTheRuntimeAsHere(string format, int block, bool isSymmetric, WeightOnlyForm form)
    {
        Graph model = Quantizer.For(ModeGraphs.Perceptron()).WeightOnly(Options(format, block, isSymmetric, form)).Model;
        Assert.InRange(ModeGraphs.AgainstRuntime(model, GraphOptimizationLevel.Off), 0, SummationError);
        Assert.InRange(ModeGraphs.AgainstRuntime(model, GraphOptimizationLevel.All), 0, SummationError);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void WeightOnly_BothForms_AreTheSameFunction(string format, int block, bool isSymmetric, WeightOnlyForm form)
    {
        Graph original = ModeGraphs.Perceptron();
        Graph model = Quantizer.For(original).WeightOnly(Options(format, block, isSymmetric, form)).Model;
        Graph other = Quantizer.For(original).WeightOnly(Options(format, block, isSymmetric, WeightOnlyForm.MatMulNBits)).Model;
        Assert.True(ModeGraphs.SignalToNoise(model, other) > 110);
        // Each bit brings about 6 dB; 2 bits leave little.
        Assert.InRange(ModeGraphs.SignalToNoise(original, model), format.EndsWith('2') ? 1 : format.EndsWith('4') ? 14 : 38, 60);
    }

    [RuntimeTheory("text/stories260K/stories260K.onnx")]
    [InlineData("int4", WeightOnlyForm.DequantizeLinear)]
    [InlineData("uint4", WeightOnlyForm.MatMulNBits)]
    [InlineData("int8", WeightOnlyForm.DequantizeLinear)]
    public void WeightOnly_LanguageModels_AgreeWithTheRuntime(string format, WeightOnlyForm form)
    {
        foreach (Graph original in new[] { ModeGraphs.Stories(), ModeGraphs.Transformer() })
        {
            QuantizationResult result = Quantizer.For(original).WeightOnly(Options(format, 32, IntegerFormat.Parse(format).IsSigned, form));
            Assert.InRange(ModeGraphs.AgainstRuntime(result.Model, GraphOptimizationLevel.All), 0, SummationError);
            Assert.InRange(ModeGraphs.SignalToNoise(original, result.Model), format == "int8" ? 30 : 8, 70);
            Assert.Equal(original.Nodes.Select(node => node.Name), result.Report.Nodes.Select(node => node.Name));
            Assert.True(result.Report.Weights.Count > 16);
        }
    }

    [RuntimeTheory]
    [InlineData(WeightOnlyForm.DequantizeLinear)]
    [InlineData(WeightOnlyForm.MatMulNBits)]
    public void WeightOnly_AccuracyLevel4_RoundsActivationsInTheRuntime(WeightOnlyForm form)
    {
        Graph model = Quantizer.For(ModeGraphs.Perceptron()).WeightOnly(Options("int4", 32, true, form, level: 4)).Model;
        Assert.InRange(ModeGraphs.AgainstRuntime(model, GraphOptimizationLevel.All, accuracyLevel: 4), 1e-4, Level4Error);
    }

    [RuntimeFact]
    public void WeightOnly_DequantizeLinear_IsFusedByTheRuntimeWhereNoBiasMakesAGemm()
    {
        QuantizationResult result = Quantizer.For(ModeGraphs.Perceptron()).WeightOnly(new() { BlockSize = 16 });
        IReadOnlyList<string> nodes = SmallGraphs.RuntimeNodes(result.Model, out _);
        Assert.Equal(["DequantizeLinear", "com.microsoft.FusedGemm", "com.microsoft.MatMulNBits"], nodes);
        Assert.StartsWith("1 product has a bias and an input of two dimensions ('first')", Assert.Single(result.Report.Warnings), StringComparison.Ordinal);
        QuantizationResult stated = Quantizer.For(ModeGraphs.Perceptron()).WeightOnly(new() { Form = WeightOnlyForm.MatMulNBits });
        Assert.Equal(2, SmallGraphs.RuntimeNodes(stated.Model, out _).Count(node => node == "com.microsoft.MatMulNBits"));
        Assert.Empty(stated.Report.Warnings);
    }

    [Theory]
    [InlineData("int4", 21)]
    [InlineData("int8", 21)]
    [InlineData("uint2", 25)]
    public void WeightOnly_DequantizeLinear_TakesTheLowestOpset(string format, int opset)
    {
        Graph read = OnnxFile.Load(OnnxFile.ToBytes(Quantizer.For(ModeGraphs.Perceptron()).WeightOnly(new() { Weights = IntegerFormat.Parse(format) }).Model));
        Assert.Equal(opset, read.OpsetVersion(""));
        Assert.Equal(13, Quantizer.For(ModeGraphs.Perceptron()).WeightOnly(new() { Form = WeightOnlyForm.MatMulNBits }).Model.OpsetVersion(""));
    }

    [Fact]
    public void WeightOnly_OneWeightReadTwice_IsStoredOnce()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 32);
        Value weight = graph.AddConstant("shared", SmallGraphs.Random([32, 32], 1));
        x.Named("MatMul", "first", null, weight).Named("MatMul", "second", null, weight).Returns();
        QuantizationResult result = Quantizer.For(graph).WeightOnly();
        Assert.Single(result.Model.Constants, value => value.Type == ElementType.Int4);
        Assert.Equal(32 * 32 / 2 + 32 * 4, result.Report.Size.ParameterBytes);
        Assert.Equal(2, result.Model.Nodes.Count(node => node.Is("DequantizeLinear")));
    }

    [Fact]
    public void WeightOnly_ExcludedAndUnfitNodes_StayFloatWithAReason()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 16);
        Value a = x.Named("MatMul", "kept", null, graph.AddConstant("a", SmallGraphs.Random([16, 16], 1)));
        Value b = a.Named("MatMul", "rounded", null, graph.AddConstant("b", SmallGraphs.Random([16, 16], 2)));
        b.Named("Gemm", "square", new() { { "transB", 1 } }, b).Returns();
        QuantizationResult result = Quantizer.For(graph).WeightOnly(new() { Exclude = ["kept"] });
        Assert.Equal(("float", "excluded"), (result.Node("kept").Applied, result.Node("kept").Reason));
        Assert.Equal("both operands are computed", result.Node("square").Reason);
        Assert.Equal("int4 weights in blocks of 32, DequantizeLinear", result.Node("rounded").Applied);
        ArgumentException unknown = Assert.Throws<ArgumentException>(() => Quantizer.For(graph).WeightOnly(new() { Exclude = ["keptt"] }));
        Assert.StartsWith("the model has no node 'keptt' to exclude", unknown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WeightOnly_NothingToQuantize_SaysSoInOneSentence()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 4);
        x.Named("Tanh", "tanh").Returns();
        Assert.StartsWith("the model has no MatMul or Gemm: there is nothing to quantize without data", Assert.Throws<InvalidDataException>(() => Quantizer.For(graph).WeightOnly()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WeightOnly_DegenerateBlocks_GiveTheirNumbersBack()
    {
        Graph graph = SmallGraphs.Create(out Value x, "N", 32);
        float[] weight = new float[32 * 3];
        for (int row = 0; row < 32; row++) (weight[row * 3 + 1], weight[row * 3 + 2]) = (0.25f, row == 0 ? 1e-42f : 0);
        x.Named("MatMul", "product", null, graph.AddConstant("w", Tensor.From<float>(weight, [32, 3]))).Returns();
        foreach (string format in new[] { "int2", "uint4", "int8" })
            Assert.True(ModeGraphs.SignalToNoise(graph, Quantizer.For(graph).WeightOnly(new() { Weights = IntegerFormat.Parse(format) }).Model) > 100, format);
    }

    [Fact]
    public void Options_OutOfRange_SayWhatIsExpected()
    {
        Assert.StartsWith("the block size is 48, expected 16, 32, 64, 128 or 256", Assert.Throws<ArgumentException>(() => new WeightOnlyOptions { BlockSize = 48 }).Message, StringComparison.Ordinal);
        Assert.StartsWith("weights cannot be int3 in blocks", Assert.Throws<ArgumentException>(() => new WeightOnlyOptions { Weights = new(3, true) }).Message, StringComparison.Ordinal);
        Assert.StartsWith("the accuracy level is 2, expected 0 or 4", Assert.Throws<ArgumentException>(() => new WeightOnlyOptions { AccuracyLevel = 2 }).Message, StringComparison.Ordinal);
    }
}
