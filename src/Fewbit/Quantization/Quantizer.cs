using Fewbit.Calibration;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Reconstruction;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Quantization;

/// <summary>Makes a quantized model from a float one: <c>Quantizer.For("model.onnx").Calibrate(batches).RunAsync()</c>.</summary>
public sealed class Quantizer
{
    // Beyond this no 8-bit scale leaves room for ordinary numbers: such values are masks.
    private const float LargestUsefulValue = 1e9f;
    private readonly Graph _original;
    private IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>>? _batches;
    private long? _sampleCount;
    private QuantizationPlan? _plan;

    private Quantizer(Graph original) => _original = original;

    /// <summary>Starts from a model file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is not a valid ONNX model.</exception>
    public static Quantizer For(string path) => new(OnnxFile.Load(path));

    /// <summary>Starts from a graph, which is not changed.</summary>
    public static Quantizer For(Graph model) => new(model);

    /// <summary>Sets the calibration data: one tensor per input of the model, by name, for each batch.</summary>
    /// <param name="batches">Read once, as the run goes on.</param>
    /// <param name="sampleCount">Samples in all, for progress; null where that is not known.</param>
    public Quantizer Calibrate(IAsyncEnumerable<IReadOnlyDictionary<string, Tensor>> batches, long? sampleCount = null)
    {
        (_batches, _sampleCount) = (batches, sampleCount);
        return this;
    }

    /// <summary>Sets the calibration data: one tensor per input of the model, by name, for each batch.</summary>
    public Quantizer Calibrate(IEnumerable<IReadOnlyDictionary<string, Tensor>> batches, long? sampleCount = null) => Calibrate(batches.ToAsyncEnumerable(), sampleCount);

    /// <summary>
    /// Decides as a plan did, to the same bytes: learned codes are taken from it, or learned again with its steps where its side file is missing.
    /// Model, data and options must be those of the plan.
    /// </summary>
    public Quantizer Follow(QuantizationPlan? plan)
    {
        _plan = plan;
        return this;
    }

    /// <summary>What would become of each node, without any data; calibration may still leave a node float whose values have no useful range.</summary>
    /// <exception cref="InvalidDataException">The model cannot be quantized; the message says why.</exception>
    /// <exception cref="ArgumentException">An excluded name is unknown.</exception>
    public IReadOnlyList<NodeReport> Preview(QuantizationOptions? options = null) => CalibratedModel.Preview(_original, (options ?? new()).Resolve());

    /// <summary>Calibrates and quantizes.</summary>
    /// <exception cref="InvalidOperationException">No calibration data was set.</exception>
    /// <exception cref="InvalidDataException">The model cannot be quantized, or the plan to follow is of another model, other data or other options; the message says why.</exception>
    /// <exception cref="ArgumentException">A batch does not fit the model, an excluded name is unknown, or options contradict each other.</exception>
    /// <exception cref="OperationCanceledException">It was stopped; a method that learns has written its checkpoint.</exception>
    public async Task<QuantizationResult> RunAsync(QuantizationOptions? options = null, IProgress<QuantizationProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (_batches is null) throw new InvalidOperationException("no calibration data: call Calibrate before RunAsync");
        (string modelHash, string optionsHash) = (ContentHash.OfGraph(_original), QuantizationPlan.HashOf(options ?? new()));
        _plan?.Require("model", modelHash);
        _plan?.Require("options", optionsHash);
        QuantizationOptions resolved = (options ?? new()).Resolve();
        SampleCollector? samples = resolved.Method == RoundingMethod.Nearest ? null : new();
        using var hash = new BatchHash();
        CalibratedModel model = await CalibratedModel.CreateAsync(_original, hash.Watch(samples?.Keep(_batches) ?? _batches), resolved, Progress(progress), cancellation).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        _plan?.Require("data", hash.Result);
        (GivenQuantizers given, IReadOnlyList<UnitReport> units) = samples is null ? (GivenQuantizers.None, []) : Learned(model, samples, resolved, progress, cancellation);
        progress?.Report(new("writing", 0, null));
        QuantizationResult result = model.Quantize(given, units);
        result.Plan = QuantizationPlan.Of(new(modelHash, hash.Result, optionsHash), options ?? new(), result.Report, given);
        return result;
    }

    /// <summary>Quantizes in the mode and with the settings of a recipe. Its places of data count for the command line alone.</summary>
    /// <inheritdoc cref="RunAsync"/>
    public Task<QuantizationResult> ApplyAsync(QuantizationRecipe recipe, IProgress<QuantizationProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        return recipe.Mode switch
        {
            QuantizationMode.WeightOnly => Task.Run(() => WeightOnly(recipe.WeightOnly), cancellation),
            QuantizationMode.Dynamic => Task.Run(() => Dynamic(recipe.Dynamic), cancellation),
            QuantizationMode.Float16 => Task.Run(() => Float16(recipe.Float16), cancellation),
            _ => RunAsync(recipe.Options, progress, cancellation),
        };
    }

    private (GivenQuantizers, IReadOnlyList<UnitReport>) Learned(CalibratedModel model, SampleCollector samples, QuantizationOptions options, IProgress<QuantizationProgress>? progress, CancellationToken cancellation)
    {
        QuantizerSites sites = model.FindSites();
        if (_plan is { HasCodes: true }) return (_plan.Given(sites), _plan.Units);
        if (_plan is not null) options = options with { Learning = options.Learning with { TimeBudget = null, StepsByUnit = _plan.StepsByUnit } };
        return LearnedQuantizers.Learn(model.Prepared, sites, samples.Join(), options, progress, cancellation);
    }

    /// <summary>Quantizes the constant weights of MatMul and Gemm in blocks; activations stay float, and no data are needed.</summary>
    /// <exception cref="InvalidDataException">The model cannot be quantized; the message says why.</exception>
    /// <exception cref="ArgumentException">An excluded name is unknown.</exception>
    public QuantizationResult WeightOnly(WeightOnlyOptions? options = null) => new WeightOnlyWriter(_original, options ?? new()).Write();

    /// <summary>Lets MatMul and Gemm with constant weights run in integers, their inputs quantized while the model runs: no data are needed.</summary>
    /// <exception cref="InvalidDataException">The model cannot be quantized; the message says why.</exception>
    /// <exception cref="ArgumentException">An excluded name is unknown.</exception>
    public QuantizationResult Dynamic(DynamicOptions? options = null) => new DynamicWriter(_original, options ?? new()).Write();

    /// <summary>Stores and computes float16 wherever that has a form; no data are needed.</summary>
    /// <exception cref="InvalidDataException">No node can compute in float16; the message says why.</exception>
    /// <exception cref="ArgumentException">A name to keep in float is unknown.</exception>
    public QuantizationResult Float16(Float16Options? options = null) => new Float16Writer(_original, options ?? new()).Write();

    /// <summary>Makes a quantized model float again, so that it can be quantized anew: weights keep the rounding of their codes, activations are no longer rounded.</summary>
    /// <exception cref="InvalidDataException">The model is not quantized, or a node has no float form here; the message says which.</exception>
    public QuantizationResult Dequantize() => new DequantizedWriter(_original).Write();

    /// <summary>Writes a model with quantizers that are decided already.</summary>
    /// <param name="original">The float model.</param>
    /// <param name="batches">Data whose ranges the report states, and that decide which nodes have a useful range.</param>
    /// <param name="options">Placement and formats: those that the sites were found with.</param>
    /// <param name="given">The quantizers.</param>
    internal static QuantizationResult Write(Graph original, IEnumerable<IReadOnlyDictionary<string, Tensor>> batches, QuantizationOptions options, GivenQuantizers given) =>
        CalibratedModel.CreateAsync(original, batches.ToAsyncEnumerable(), options.Resolve(), null, CancellationToken.None).GetAwaiter().GetResult().Quantize(given, []);

    private Relay? Progress(IProgress<QuantizationProgress>? progress) =>
        progress is null ? null : new Relay(samples => progress.Report(new("calibrating", samples, _sampleCount)));

    /// <summary>Why no scale serves a value, from its calibration; null where one does.</summary>
    internal static string? WhyNoScale(string name, RangeEstimator estimator)
    {
        if (!estimator.HasValues) return $"'{name}' had no finite value in calibration";
        float largest = Math.Max(-estimator.Observed.Min, estimator.Observed.Max);
        return largest > LargestUsefulValue ? $"'{name}' reaches {largest:G3}: too large for 8 bits beside other numbers" : null;
    }

    /// <summary>Reports on the calling thread; <see cref="Progress{T}"/> would report late.</summary>
    private sealed class Relay(Action<long> report) : IProgress<long>
    {
        public void Report(long value) => report(value);
    }
}
