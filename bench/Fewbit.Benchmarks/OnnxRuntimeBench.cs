using BenchmarkDotNet.Attributes;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;

namespace Fewbit.Benchmarks;

/// <summary>What the bridge costs: loading resnet20, and a run of it on 64 pictures. FEWBIT_DATA names the folder of the data, FEWBIT_ORT the library.</summary>
[MemoryDiagnoser, MinColumn, MedianColumn]
public class OnnxRuntimeBench : IDisposable
{
    private const int Batch = 64;
    private readonly Dictionary<string, Tensor> _inputs = new() { ["input"] = Tensor.Allocate(ElementType.Float32, [Batch, 3, 32, 32]) };
    private OnnxRuntimeSession? _session;

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        foreach (ref float value in _inputs["input"].Span<float>()) value = random.NextSingle() * 4 - 2;
        _session = Load();
    }

    [Benchmark]
    public int CreateSession()
    {
        using OnnxRuntimeSession session = Load();
        return session.Outputs.Count;
    }

    [Benchmark]
    public IReadOnlyDictionary<string, Tensor> Run() => _session!.Run(_inputs);

    [GlobalCleanup]
    public void Dispose()
    {
        _session?.Dispose();
        GC.SuppressFinalize(this);
    }

    private OnnxRuntimeSession Load()
    {
        string data = Environment.GetEnvironmentVariable("FEWBIT_DATA") ?? throw new InvalidOperationException("set FEWBIT_DATA to the folder of the data");
        return OnnxRuntimeSession.Load(OnnxRuntimeLibrary.Open(), Path.Combine(data, "cifar10/models/resnet20.onnx"), new() { Threads = Threads });
    }
}
