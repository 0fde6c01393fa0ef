using System.Diagnostics;
using Fewbit.Graphs;
using Fewbit.OnnxRuntime.Native;
using Fewbit.Tensors;

namespace Fewbit.OnnxRuntime;

/// <summary>A model that is loaded into ONNX Runtime, on the CPU. Runs may come from several threads at once.</summary>
public sealed class OnnxRuntimeSession : IModelRunner
{
    private readonly OrtApi _api;
    private readonly OrtHandle _session;
    private readonly string _model;

    private OnnxRuntimeSession(OrtApi api, OrtHandle session, string model)
    {
        (_api, _session, _model) = (api, session, model);
        Inputs = Values(OrtFunction.SessionGetInputCount, OrtFunction.SessionGetInputName, OrtFunction.SessionGetInputTypeInfo);
        Outputs = Values(OrtFunction.SessionGetOutputCount, OrtFunction.SessionGetOutputName, OrtFunction.SessionGetOutputTypeInfo);
    }

    /// <summary>The inputs that a run needs, in the model's order.</summary>
    /// <remarks>The shape is null for a scalar too: the C API does not tell it from a value of unknown rank.</remarks>
    public IReadOnlyList<ValueInfo> Inputs { get; }

    /// <summary>The outputs, in the model's order.</summary>
    public IReadOnlyList<ValueInfo> Outputs { get; }

    /// <summary>Loads a model file, with its external data.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="OnnxRuntimeException">The runtime refuses the model.</exception>
    public static OnnxRuntimeSession Load(OnnxRuntimeLibrary library, string path, OnnxRuntimeOptions? options = null)
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: no such model file", path);
        return Create(library, path, options, (api, native) => api.CreateSession(path, native));
    }

    /// <summary>Loads a model from the bytes of its file.</summary>
    /// <exception cref="OnnxRuntimeException">The runtime refuses the model.</exception>
    public static OnnxRuntimeSession Load(OnnxRuntimeLibrary library, ReadOnlyMemory<byte> model, OnnxRuntimeOptions? options = null) =>
        Create(library, $"model of {model.Length} bytes", options, (api, native) => api.CreateSession(model.Span, native));

    /// <summary>Runs the model once.</summary>
    /// <param name="inputs">A row-major tensor for every input; read in place.</param>
    /// <param name="outputs">Names of the outputs to compute; null for all.</param>
    /// <returns>Copies of the outputs, by name.</returns>
    /// <exception cref="ArgumentException">A name, type or shape is not the model's.</exception>
    /// <exception cref="OnnxRuntimeException">The runtime failed.</exception>
    public IReadOnlyDictionary<string, Tensor> Run(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyCollection<string>? outputs = null)
    {
        string[] names = [.. outputs ?? Outputs.Select(output => output.Name)];
        using BoundRun run = Bind(inputs, names);
        Run(run);
        return names.Index().ToDictionary(name => name.Item, name => run.CopyOutput(name.Index, name.Item));
    }

    /// <summary>Measures runs of the model with all outputs; inputs and outputs are bound once, outside of the measured time.</summary>
    /// <param name="inputs">A row-major tensor for every input.</param>
    /// <param name="warmup">Runs before the measured ones, at least 1: the first run of a shape allocates.</param>
    /// <param name="runs">Measured runs, at least 1.</param>
    /// <exception cref="ArgumentException">A name, type or shape is not the model's.</exception>
    public RunTiming Time(IReadOnlyDictionary<string, Tensor> inputs, int warmup = 3, int runs = 20)
    {
        Require.InRange(warmup, 1, int.MaxValue);
        Require.InRange(runs, 1, int.MaxValue);
        using BoundRun run = Bind(inputs, [.. Outputs.Select(output => output.Name)]);
        for (int i = 0; i < warmup; i++) Run(run);
        var times = new List<TimeSpan>(runs);
        for (int i = 0; i < runs; i++)
        {
            long start = Stopwatch.GetTimestamp();
            Run(run);
            times.Add(Stopwatch.GetElapsedTime(start));
        }
        return RunTiming.Of(times);
    }

    /// <summary>Frees the model, once the runs under way have ended.</summary>
    public void Dispose() => _session.Dispose();

    private static OnnxRuntimeSession Create(
        OnnxRuntimeLibrary library, string model, OnnxRuntimeOptions? options, Func<OrtApi, OrtHandle, OrtHandle> create)
    {
        OrtHandle? session = null;
        try
        {
            using OrtHandle native = library.Api.CreateSessionOptions(options ?? new());
            session = create(library.Api, native);
            return new(library.Api, session, model);
        }
        catch (OnnxRuntimeException e)
        {
            session?.Dispose();
            throw new OnnxRuntimeException(e.Code, $"{model}: ONNX Runtime {library.Version}: {e.Message}");
        }
    }

    private ValueInfo[] Values(OrtFunction count, OrtFunction name, OrtFunction type) =>
        [.. Enumerable.Range(0, _api.Count(count, _session)).Select(index => DeclaredValue.Read(_api, _session, index, name, type))];

    private BoundRun Bind(IReadOnlyDictionary<string, Tensor> inputs, IReadOnlyList<string> outputs)
    {
        ObjectDisposedException.ThrowIf(_session.IsClosed, this);
        CheckInputs(inputs);
        CheckOutputs(outputs);
        return new(_api, _session, inputs, outputs);
    }

    private void Run(BoundRun run)
    {
        try
        {
            run.Run();
        }
        catch (OnnxRuntimeException e)
        {
            throw new OnnxRuntimeException(e.Code, $"{_model}: ONNX Runtime: {e.Message}");
        }
    }

    private void CheckInputs(IReadOnlyDictionary<string, Tensor> inputs)
    {
        if (inputs.Keys.FirstOrDefault(name => Inputs.All(input => input.Name != name)) is { } unknown)
            throw new ArgumentException($"{_model}: has no input '{unknown}', expected {Listed(Inputs)}", nameof(inputs));
        foreach (ValueInfo input in Inputs)
        {
            if (!inputs.TryGetValue(input.Name, out Tensor? tensor))
                throw new ArgumentException($"{_model}: input {input} is not given", nameof(inputs));
            if (tensor.Type != input.Type || tensor.Layout != Layout.RowMajor || input.Shape?.Matches(tensor.Shape) == false)
                throw new ArgumentException($"{_model}: an input is {tensor}, expected {input}", nameof(inputs));
        }
    }

    private void CheckOutputs(IReadOnlyList<string> outputs)
    {
        if (outputs.Count == 0) throw new ArgumentException($"{_model}: no output is asked for, expected some of {Listed(Outputs)}", nameof(outputs));
        if (outputs.FirstOrDefault(name => Outputs.All(output => output.Name != name)) is { } unknown)
            throw new ArgumentException($"{_model}: has no output '{unknown}', expected {Listed(Outputs)}", nameof(outputs));
        if (outputs.Distinct().Count() < outputs.Count)
            throw new ArgumentException($"{_model}: an output is asked for twice: {string.Join(", ", outputs)}", nameof(outputs));
    }

    private static string Listed(IReadOnlyList<ValueInfo> values) => string.Join(", ", values.Select(value => $"'{value.Name}'"));
}
