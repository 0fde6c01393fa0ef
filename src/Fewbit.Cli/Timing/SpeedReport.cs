using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Cli.Timing;

/// <summary>The time of one run of two models in one engine.</summary>
/// <param name="Engine">Fewbit, or ONNX Runtime with its version.</param>
/// <param name="FloatSeconds">Of the float model; null where there is none.</param>
/// <param name="Seconds">Of the model.</param>
internal sealed record EngineSpeed(string Engine, double? FloatSeconds, double Seconds)
{
    /// <summary>How many times faster than the float model; null without one.</summary>
    public double? Speedup => FloatSeconds / Seconds;

    /// <summary>95 % interval of <see cref="FloatSeconds"/> on this machine now; null without a float model.</summary>
    public Interval? FloatInterval { get; init; }

    /// <summary>95 % interval of <see cref="Seconds"/> on this machine now.</summary>
    public Interval? Interval { get; init; }

    /// <summary>95 % interval of <see cref="Speedup"/>, from rounds that timed both in turn; null without a float model.</summary>
    public Interval? SpeedupInterval { get; init; }

    public static EngineSpeed Of(string engine, RoundTimes? floatModel, RoundTimes model) => new(engine, floatModel?.Median.TotalSeconds, model.Median.TotalSeconds)
    {
        FloatInterval = floatModel?.Interval, Interval = model.Interval, SpeedupInterval = floatModel?.RatioTo(model),
    };
}

/// <summary>Models timed in Fewbit and, where it is found, in ONNX Runtime, turn by turn in one run.</summary>
internal static class SpeedReport
{
    private const string Float = "float, ", Model = "model, ";

    /// <param name="model">The model.</param>
    /// <param name="floatModel">The float model beside it; null if there is none.</param>
    /// <param name="inputs">One batch.</param>
    /// <param name="common">Threads and ONNX Runtime.</param>
    /// <param name="output">For progress.</param>
    /// <param name="cancellation">Stops between turns.</param>
    public static IReadOnlyList<EngineSpeed> Measure(
        Graph model, Graph? floatModel, IReadOnlyDictionary<string, Tensor> inputs, Commands.CommonSettings common, CommandOutput output, CancellationToken cancellation)
    {
        var runners = new Dictionary<string, IModelRunner>(StringComparer.Ordinal);
        try
        {
            const string own = "Fewbit";
            if (floatModel is not null) runners[Float + own] = Engines.Fewbit(floatModel);
            runners[Model + own] = Engines.Fewbit(model);
            List<string> engines = [own];
            if (common.OpenOnnxRuntime() is { } library)
            {
                string other = $"ONNX Runtime {library.Version}";
                // The same number of threads for both: ONNX Runtime's own default is another.
                int threads = common.Threads ?? Environment.ProcessorCount;
                if (floatModel is not null) runners[Float + other] = Engines.OnnxRuntime(library, floatModel, threads);
                runners[Model + other] = Engines.OnnxRuntime(library, model, threads);
                engines.Add(other);
            }
            Contender[] contenders = [.. runners.Select(pair => Contender.Of(pair.Key, pair.Value, inputs))];
            IReadOnlyDictionary<string, RoundTimes> times = output.WithProgress("timing", SpeedTest.Rounds, "rounds", progress => SpeedTest.Measure(contenders, progress, cancellation));
            return [.. engines.Select(engine => EngineSpeed.Of(engine, floatModel is null ? null : times[Float + engine], times[Model + engine]))];
        }
        finally
        {
            foreach (IModelRunner runner in runners.Values) runner.Dispose();
        }
    }
}
