using System.Diagnostics;
using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Cli.Inspection;
using Fewbit.Cli.Judging;
using Fewbit.Cli.Timing;
using Fewbit.Data;
using Fewbit.Evaluation;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Promises;
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Storage;
using Fewbit.Verification;

namespace Fewbit.Cli.Quantizing;

/// <summary>The whole of fewbit quantize: check the float model, calibrate, write, judge, verify, time.</summary>
internal sealed class QuantizeJob(QuantizeSettings settings, QuantizationOptions options, PromiseOptions? promise, CommandOutput output, CancellationToken cancellation)
{
    /// <summary>Samples that codes are compared on between the engines.</summary>
    private const int VerificationSamples = 64;

    private const int FewSamples = 512, SamplesToLearn = 1024;

    private readonly string _target = TargetFile.Of(settings.Model, settings.Output, promise is { Smallest: true } ? "small" : options.Weights.Name);

    /// <summary>The file of unfinished work; null where nothing is learned or searched.</summary>
    private string? Checkpoint => options.Method == RoundingMethod.Nearest && promise is null ? null : CheckpointFile.PathOf(settings.Learning, _target);

    public QuantizeReport Run()
    {
        if (settings.Calibration is null && settings.Data is null)
            throw new UsageException("no data are given: --calibration DIR|FILE names them (a fifth is held out for judging), --data DIR|FILE others for judging");
        // A run that is killed right behind its learning has written the model already, and so has a search that goes on.
        TargetFile.CheckWritable(_target, settings.Model, settings.Overwrite || settings.Learning.Resume);
        settings.Report.Check(settings.Overwrite, settings.Model, _target);
        if (Checkpoint is { } checkpoint) CheckpointFile.Check(checkpoint, _target, settings.Learning.Resume, settings.Overwrite);
        // A library that was named and cannot be loaded is said now too.
        OnnxRuntimeLibrary? library = settings.Common.OpenOnnxRuntime();
        Graph original = OnnxFile.Load(settings.Model);
        InputShapes.Fix(original, settings.Mode.InputShapes);
        Quantizer quantizer = Quantizer.For(original).Follow(settings.Recipe.Followed);
        // What cannot be quantized is said before hours of work on data.
        AboutModel(() => quantizer.Preview(options));
        using ModelRunner floatModel = Engines.Fewbit(original);
        int samples = settings.Samples ?? (Checkpoint is null ? FewSamples : SamplesToLearn);
        PromiseData? parts = promise is null ? null : PromiseData.Open(settings.Reading, floatModel.Inputs, settings.Calibration!, settings.Data, samples, settings.Common.Seed);
        DataPlan plan = parts?.Plan ?? DataPlan.Open(settings.Reading, floatModel.Inputs, settings.Calibration, settings.Data, samples, settings.Common.Seed);
        // A metric that does not go with model or data is said before calibration.
        _ = settings.Metric.Choose(floatModel, plan.Judging);
        (PreprocessingChoice preprocessing, FloatCheck check) = CheckFloat(original, floatModel, plan);

        if (Checkpoint is not null && !settings.Learning.Resume) ArtifactFile.Delete(Checkpoint);
        var clock = Stopwatch.StartNew();
        PromiseReport? promised = parts is null ? null : AboutModel(() => Search(original, floatModel, parts, preprocessing));
        QuantizationResult result = promised?.Result.Model ?? AboutModel(() => Calibrate(quantizer, Batches(floatModel, plan.Calibration, preprocessing), plan.Calibration.Count));
        TimeSpan calibrationTime = clock.Elapsed;
        Complete(result.Model, preprocessing);
        Save(result);
        RecipeArguments.Write(settings, new() { Options = result.Chosen ?? options }, result.Plan, output);
        if (Checkpoint is not null) ArtifactFile.Delete(Checkpoint);

        Judgement judgement = Judge(floatModel, result.Model, Batches(floatModel, plan.Judging, preprocessing), plan.Judging);
        DataSet some = SampleSelection.Draw(plan.Judging, VerificationSamples, settings.Common.Seed);
        IReadOnlyDictionary<string, Tensors.Tensor> one = new SampleBatches(some.Subset([0], "one sample"), floatModel.Inputs, preprocessing.Settings, new() { BatchSize = 1, Threads = 1 }).First().Inputs;
        return new(
            settings.Model, _target, plan, preprocessing, check, result.Report, options, judgement,
            new(FileBytes(settings.Model), FileBytes(_target), FileBytes(_target) - result.Report.Size.ParameterBytes + result.Report.Size.PackedParameterBytes),
            new(result.Report.Size.FloatParameterBytes + Engines.WorkingBytes(original, one), result.Report.Size.ParameterBytes + Engines.WorkingBytes(result.Model, one)),
            calibrationTime, Process.GetCurrentProcess().PeakWorkingSet64,
            Verify(library, result.Model, Batches(floatModel, some, preprocessing), some.Count),
            SpeedReport.Measure(result.Model, original, one, settings.Common, output, cancellation), CostShare.Of(original, result.Report), TargetReport.Of(result, options, library))
        {
            Promise = promised,
            Comparison = settings.Report.Path is null ? null : LayerErrors.Of(original, result.Model, Batches(floatModel, some, preprocessing), output, cancellation),
        };
    }

    private static void Complete(Graph model, PreprocessingChoice preprocessing)
    {
        if (preprocessing.Settings is { } used) PreprocessingMetadata.Write(model, used);
    }

    private void Save(QuantizationResult result)
    {
        result.Save(_target);
        if (!output.Written.Contains(_target)) output.Written.Add(_target);
    }

    /// <exception cref="OperationCanceledException">It was stopped; what was tried is written before.</exception>
    private PromiseReport Search(Graph original, ModelRunner floatModel, PromiseData parts, PreprocessingChoice preprocessing)
    {
        PromiseOptions all = promise! with { Start = options, Checkpoint = Checkpoint };
        var samples = new PromiseSamples(Batches(floatModel, parts.Plan.Calibration, preprocessing), Batches(floatModel, parts.Choosing, preprocessing), Batches(floatModel, parts.HeldOut, preprocessing));
        PromiseResult result = output.WithProgress("searching", 1, "candidates", live =>
            PromiseSearch.Run(original, samples, all, Engines.Fewbit, Save, model => Complete(model, preprocessing), new ShownSearch(live), cancellation));
        var report = new PromiseReport(result, all.TimeBudget);
        if (!cancellation.IsCancellationRequested) return report;
        report.WriteStopped(output, settings.Common.Json);
        CheckpointFile.Announce(Checkpoint!, output);
        throw new OperationCanceledException(cancellation);
    }

    /// <exception cref="InvalidDataException">The float model is near chance, and --force is not given.</exception>
    private (PreprocessingChoice, FloatCheck) CheckFloat(Graph original, IModelRunner floatModel, DataPlan plan)
    {
        DataSet few = SampleSelection.Draw(plan.Pool.Labels is null && (plan.Judging.Labels is not null || plan.Judging.TargetScale is not null) ? plan.Judging : plan.Pool, PreprocessingChoice.TrialSamples, settings.Common.Seed);
        PreprocessingChoice choice = PreprocessingChoice.Make(settings.Reading, original, floatModel, few, output, cancellation);
        var check = FloatCheck.Of(few.Labels is null ? null : PreprocessingTrial.Try(floatModel, few, choice.Settings, cancellation), few);
        if (check.IsNearChance && !settings.Force) throw new InvalidDataException(check.Explain(choice.Settings, floatModel, few, cancellation));
        return (choice, check);
    }

    private SampleBatches Batches(ModelRunner model, DataSet data, PreprocessingChoice preprocessing) => new(data, model.Inputs, preprocessing.Settings, settings.Reading.Batches);

    private QuantizationResult Calibrate(Quantizer quantizer, SampleBatches batches, int count)
    {
        QuantizationOptions all = options with { Learning = options.Learning with { Checkpoint = Checkpoint } };
        try
        {
            return output.WithProgress("calibrating", count, "samples", live => quantizer.Calibrate(batches.Enumerate(cancellation).Select(batch => batch.Inputs), count)
                .RunAsync(all, new ShownProgress(live), cancellation).GetAwaiter().GetResult());
        }
        catch (OperationCanceledException) when (Checkpoint is not null)
        {
            CheckpointFile.Announce(Checkpoint, output);
            throw;
        }
    }

    private Judgement Judge(IModelRunner floatModel, Graph quantized, SampleBatches batches, DataSet data)
    {
        using IModelRunner model = Engines.Fewbit(quantized);
        var judge = new PairedJudge(floatModel, batches.Enumerate, settings.Metric.Choose(floatModel, data), cacheBytes: 0);
        EvaluationResult result = output.WithProgress("judging", data.Count, "samples", progress => judge.Judge(model, progress, cancellation));
        return Judgement.Of(result, settings.Metric.ScoreOf(result));
    }

    /// <summary>Null without ONNX Runtime.</summary>
    private Verification? Verify(OnnxRuntimeLibrary? library, Graph quantized, SampleBatches batches, int count)
    {
        if (library is null) return null;
        VerificationResult result = output.WithProgress("checking against ONNX Runtime", count, "samples", progress => CodeComparison.Compare(
            quantized, Engines.Fewbit, graph => Engines.OnnxRuntime(library, graph, settings.Common.Threads), batches.Enumerate(cancellation), progress, cancellation));
        return Verification.Of(library.Version, result);
    }

    /// <summary>The library speaks of nodes and values; here the file is named too.</summary>
    private T AboutModel<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception problem) when (problem is InvalidDataException or ArgumentException { ParamName: "names" })
        {
            string message = problem.Message.Replace(" (Parameter 'names')", "", StringComparison.Ordinal);
            throw message.StartsWith(settings.Model, StringComparison.Ordinal) ? problem : new InvalidDataException($"{settings.Model}: {message}", problem);
        }
    }

    internal static long FileBytes(string path) => new FileInfo(path).Length + (File.Exists(path + ".data") ? new FileInfo(path + ".data").Length : 0);
}
