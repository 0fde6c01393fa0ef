using System.Diagnostics;
using Fewbit.Graphs;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.OnnxRuntime.Tests;

public sealed class OnnxRuntimeSessionTests
{
    private const string ResNet20 = "cifar10/models/resnet20.onnx";
    private static readonly Lazy<OnnxRuntimeLibrary> s_library = new(() => OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));

    [RuntimeFact(ResNet20)]
    public void Load_ResNet20_DescribesInputsAndOutputs()
    {
        using OnnxRuntimeSession session = LoadResNet20();
        ValueInfo input = Assert.Single(session.Inputs), output = Assert.Single(session.Outputs);
        Assert.Equal("'input' float32 [N, 3, 32, 32]", input.ToString());
        Assert.Equal("N", input.Shape![0].Symbol);
        Assert.Equal("'logits' float32 [N, 10]", output.ToString());
    }

    [RuntimeTheory(ResNet20)]
    [InlineData(1)]
    [InlineData(3)]
    public void Run_SameInputTwice_GivesTheSameBytes(int batch)
    {
        using OnnxRuntimeSession session = LoadResNet20();
        Tensor first = Logits(session, Pictures(batch)), second = Logits(session, Pictures(batch));
        Assert.Equal([batch, 10], first.Shape);
        Assert.True(first.Bytes.SequenceEqual(second.Bytes));
        Assert.Contains(first.Span<float>().ToArray(), value => value != 0);
    }

    [RuntimeFact(ResNet20)]
    public void Run_FromFileAndFromBytes_GivesTheSameBytes()
    {
        using OnnxRuntimeSession file = LoadResNet20(), bytes = OnnxRuntimeSession.Load(s_library.Value, File.ReadAllBytes(Oracles.Data(ResNet20)));
        Assert.True(Logits(file, Pictures(2)).Bytes.SequenceEqual(Logits(bytes, Pictures(2)).Bytes));
    }

    [RuntimeFact(ResNet20)]
    public void Run_LevelAllAgainstOff_DiffersByRoundingOnly()
    {
        using OnnxRuntimeSession all = LoadResNet20(), off = LoadResNet20(new() { OptimizationLevel = GraphOptimizationLevel.Off });
        float[] a = Logits(all, Pictures(3)).Span<float>().ToArray(), b = Logits(off, Pictures(3)).Span<float>().ToArray();
        // Folding and fusing reorder float sums: a few 1e-6 of the largest logit.
        Assert.True(a.Zip(b, (x, y) => MathF.Abs(x - y)).Max() <= 1e-4f * b.Max(MathF.Abs));
    }

    [RuntimeTheory(ResNet20)]
    [InlineData(GraphOptimizationLevel.Off, true)]
    [InlineData(GraphOptimizationLevel.Basic, false)]
    [InlineData(GraphOptimizationLevel.All, false)]
    public void Load_OptimizedModelPath_WritesTheGraphThatIsRun(GraphOptimizationLevel level, bool keepsBatchNormalization)
    {
        using var folder = new TemporaryFolder();
        string path = Path.Combine(folder.Path, "optimized größe.onnx");
        using (LoadResNet20(new() { OptimizationLevel = level, OptimizedModelPath = path })) { }
        byte[] written = File.ReadAllBytes(path);
        // Field 4 of a node, 18 characters: the operator, not the name of a value.
        Assert.Equal(keepsBatchNormalization, written.AsSpan().IndexOf("\u0022\u0012BatchNormalization"u8) >= 0);
        using OnnxRuntimeSession again = OnnxRuntimeSession.Load(s_library.Value, path);
        Assert.Equal("input", Assert.Single(again.Inputs).Name);
    }

    [RuntimeFact(ResNet20)]
    public void Load_ConfigEntry_ReachesTheRuntime()
    {
        using var folder = new TemporaryFolder();
        OnnxRuntimeOptions options = new()
        {
            OptimizedModelPath = Path.Combine(folder.Path, "optimized.onnx"),
            ConfigEntries = new Dictionary<string, string> { ["session.optimized_model_external_initializers_file_name"] = "weights.bin" },
        };
        using (LoadResNet20(options)) { }
        Assert.True(File.Exists(Path.Combine(folder.Path, "weights.bin")));
    }

    [RuntimeFact(ResNet20)]
    public void Load_Threads_StartsThatMany()
    {
        using Process process = Process.GetCurrentProcess();
        int before = process.Threads.Count;
        using OnnxRuntimeSession session = LoadResNet20(new() { Threads = 65 });
        process.Refresh();
        // The caller is the 65th. Threads of the test host may end meanwhile.
        Assert.InRange(process.Threads.Count - before, 50, 80);
    }

    [RuntimeFact]
    public void Load_FileIsNoModel_NamesFileAndReason()
    {
        using var folder = new TemporaryFolder();
        string path = folder.File("picture.onnx", "no model at all");
        var error = Assert.Throws<OnnxRuntimeException>(() => OnnxRuntimeSession.Load(s_library.Value, path));
        Assert.StartsWith($"{path}: ONNX Runtime ", error.Message, StringComparison.Ordinal);
        Assert.NotEqual(0, error.Code);
        error = Assert.Throws<OnnxRuntimeException>(() => OnnxRuntimeSession.Load(s_library.Value, "no model"u8.ToArray()));
        Assert.StartsWith("model of 8 bytes: ONNX Runtime ", error.Message, StringComparison.Ordinal);
        Assert.Throws<FileNotFoundException>(() => OnnxRuntimeSession.Load(s_library.Value, Path.Combine(folder.Path, "none.onnx")));
    }

    [RuntimeFact]
    public void Load_WrongOptionValue_ThrowsTheRuntimesMessage()
    {
        byte[] model = Identity(ElementType.Float32);
        var level = new OnnxRuntimeOptions { OptimizationLevel = (GraphOptimizationLevel)77 };
        string message = Assert.Throws<OnnxRuntimeException>(() => OnnxRuntimeSession.Load(s_library.Value, model, level)).Message;
        Assert.Contains("optimization_level", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new OnnxRuntimeOptions { Threads = -1 });
    }

    [RuntimeFact(ResNet20)]
    public void Run_WrongInputsOrOutputs_NamesWhatWasExpected()
    {
        using OnnxRuntimeSession session = LoadResNet20();
        AssertMessage("resnet20.onnx: has no input 'image', expected 'input'", "image", Pictures(1));
        AssertMessage("an input is float32 [1, 3, 32, 31], expected 'input' float32 [N, 3, 32, 32]", "input", Tensor.Allocate(ElementType.Float32, [1, 3, 32, 31]));
        AssertMessage("an input is float32 [3, 32, 32], expected 'input' float32 [N, 3, 32, 32]", "input", Tensor.Allocate(ElementType.Float32, [3, 32, 32]));
        AssertMessage("an input is uint8 [1, 3, 32, 32], expected 'input' float32 [N, 3, 32, 32]", "input", Tensor.Allocate(ElementType.UInt8, [1, 3, 32, 32]));
        AssertMessage("has no output 'relu', expected 'logits'", "input", Pictures(1), "relu");
        AssertMessage("an output is asked for twice: logits, logits", "input", Pictures(1), "logits", "logits");
        AssertMessage("no output is asked for", "input", Pictures(1));
        string missing = Assert.Throws<ArgumentException>(() => session.Run(new Dictionary<string, Tensor>())).Message;
        Assert.Contains("input 'input' float32 [N, 3, 32, 32] is not given", missing, StringComparison.Ordinal);

        void AssertMessage(string expected, string input, Tensor tensor, params string[] outputs)
        {
            var error = Assert.Throws<ArgumentException>(() => session.Run(new Dictionary<string, Tensor> { [input] = tensor }, outputs));
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        }
    }

    [RuntimeTheory]
    [InlineData(ElementType.Float32)]
    [InlineData(ElementType.UInt8)]
    [InlineData(ElementType.Int8)]
    [InlineData(ElementType.UInt16)]
    [InlineData(ElementType.Int16)]
    [InlineData(ElementType.Int32)]
    [InlineData(ElementType.Int64)]
    [InlineData(ElementType.Bool)]
    [InlineData(ElementType.Float16)]
    [InlineData(ElementType.Float64)]
    [InlineData(ElementType.UInt32)]
    [InlineData(ElementType.UInt64)]
    [InlineData(ElementType.BFloat16)]
    [InlineData(ElementType.Float8E4M3FN)]
    [InlineData(ElementType.Float8E4M3FNUZ)]
    [InlineData(ElementType.Float8E5M2)]
    [InlineData(ElementType.Float8E5M2FNUZ)]
    public void Run_IdentityOfEveryType_KeepsTypeShapeAndBytes(ElementType type)
    {
        using OnnxRuntimeSession session = OnnxRuntimeSession.Load(s_library.Value, Identity(type));
        Tensor x = Tensor.Allocate(type, [3, 5]);
        for (int i = 0; i < x.Bytes.Length; i++) x.Bytes[i] = type == ElementType.Bool ? (byte)(i % 2) : (byte)(7 * i + 1);
        Tensor y = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"];
        Assert.Equal(type, session.Inputs[0].Type);
        Assert.Equal(x.ToString(), y.ToString());
        Assert.Equal(x.Bytes.ToArray(), y.Bytes.ToArray());
    }

    [RuntimeTheory]
    [InlineData(ElementType.UInt4, 21)]
    [InlineData(ElementType.Int4, 21)]
    [InlineData(ElementType.UInt2, 25)]
    [InlineData(ElementType.Int2, 25)]
    public void Run_CastOfPackedType_ReadsAndWritesPackedBytes(ElementType type, int opset)
    {
        using OnnxRuntimeSession unpack = Cast(type, ElementType.Float32);
        using OnnxRuntimeSession pack = Cast(ElementType.Float32, type);
        Tensor codes = Tensor.Allocate(type, [3, 5]);
        for (int i = 0; i < codes.Bytes.Length; i++) codes.Bytes[i] = (byte)(0b01_00_11_10 + 0x35 * i);
        // 15 packed elements leave the end of the last byte unused.
        codes.Bytes[^1] &= (byte)((1 << (15 * type.BitWidth() % 8)) - 1);
        Tensor values = unpack.Run(new Dictionary<string, Tensor> { ["x"] = codes })["y"];
        Tensor packed = pack.Run(new Dictionary<string, Tensor> { ["x"] = values })["y"];
        Assert.Equal(type, unpack.Inputs[0].Type);
        Assert.Equal(type is ElementType.UInt4 ? 14 : 2, Math.Abs(values.Span<float>()[0]));
        Assert.Equal(codes.ToString(), packed.ToString());
        Assert.Equal(codes.Bytes.ToArray(), packed.Bytes.ToArray());

        OnnxRuntimeSession Cast(ElementType from, ElementType to) =>
            OnnxRuntimeSession.Load(s_library.Value, TinyModel.OneNode("Cast", from, to, ["N", 5], toAttribute: true, opset));
    }

    [RuntimeFact]
    public void Run_EmptyTensorAndScalar_KeepTheirShapes()
    {
        using OnnxRuntimeSession rows = OnnxRuntimeSession.Load(s_library.Value, Identity(ElementType.Float32));
        Assert.Equal([0, 5], rows.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Allocate(ElementType.Float32, [0, 5]) })["y"].Shape);
        using OnnxRuntimeSession scalar = OnnxRuntimeSession.Load(s_library.Value, TinyModel.OneNode("Neg", ElementType.Float32, ElementType.Float32, []));
        Assert.Equal(-2f, scalar.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Scalar(2f) })["y"].Item<float>());
    }

    [RuntimeFact]
    public void Run_StringOutput_SaysThatItIsNotSupported()
    {
        byte[] model = TinyModel.OneNode("Cast", ElementType.Float32, ElementType.String, ["N", 5], toAttribute: true);
        using OnnxRuntimeSession session = OnnxRuntimeSession.Load(s_library.Value, model);
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Allocate(ElementType.Float32, [1, 5]) };
        Assert.Contains("output 'y' is a tensor of string", Assert.Throws<NotSupportedException>(() => session.Run(inputs)).Message, StringComparison.Ordinal);
    }

    [RuntimeFact]
    public void Time_ReturnsOrderedFigures()
    {
        using OnnxRuntimeSession session = OnnxRuntimeSession.Load(s_library.Value, Identity(ElementType.Float32));
        RunTiming timing = session.Time(new Dictionary<string, Tensor> { ["x"] = Tensor.Allocate(ElementType.Float32, [64, 5]) }, warmup: 1, runs: 7);
        Assert.Equal(7, timing.Runs);
        Assert.True(timing.Min > TimeSpan.Zero && timing.Min <= timing.Median);
    }

    [Fact]
    public void RunTiming_EvenNumberOfRuns_MedianIsTheMiddle()
    {
        RunTiming timing = RunTiming.Of([.. new[] { 9, 1, 4, 2 }.Select(seconds => TimeSpan.FromSeconds(seconds))]);
        Assert.Equal((3, 1, 4), (timing.Median.TotalSeconds, timing.Min.TotalSeconds, timing.Runs));
    }

    [RuntimeFact(ResNet20)]
    public void Dispose_Twice_IsFineAndLaterRunsAreRefused()
    {
        OnnxRuntimeSession session = LoadResNet20();
        session.Dispose();
        session.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Logits(session, Pictures(1)));
    }

    [RuntimeFact(ResNet20)]
    public void Run_SeveralSessionsAtOnce_DoNotDisturbEachOther()
    {
        using OnnxRuntimeSession one = LoadResNet20(new() { Threads = 1 });
        byte[][] expected = [.. Enumerable.Range(1, 4).Select(batch => Logits(one, Pictures(batch)).Bytes.ToArray())];
        Parallel.For(0, 16, i =>
        {
            using OnnxRuntimeSession own = LoadResNet20(new() { Threads = 1 });
            foreach (OnnxRuntimeSession session in new[] { own, one })
                Assert.Equal(expected[i % 4], Logits(session, Pictures(i % 4 + 1)).Bytes.ToArray());
        });
    }

    private static byte[] Identity(ElementType type) => TinyModel.OneNode("Identity", type, type, ["N", 5]);

    private static OnnxRuntimeSession LoadResNet20(OnnxRuntimeOptions? options = null) =>
        OnnxRuntimeSession.Load(s_library.Value, Oracles.Data(ResNet20), options);

    private static Tensor Logits(OnnxRuntimeSession session, Tensor pictures) =>
        session.Run(new Dictionary<string, Tensor> { ["input"] = pictures })["logits"];

    private static Tensor Pictures(int batch)
    {
        var random = new Random(batch);
        Tensor pictures = Tensor.Allocate(ElementType.Float32, [batch, 3, 32, 32]);
        foreach (ref float value in pictures.Span<float>()) value = random.NextSingle() * 4 - 2;
        return pictures;
    }
}
