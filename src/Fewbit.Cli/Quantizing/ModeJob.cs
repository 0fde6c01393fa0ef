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
using Fewbit.Quantization;
using Fewbit.Runtime;
using Fewbit.Tensors;

namespace Fewbit.Cli.Quantizing;

/// <summary>fewbit quantize without data: make, write, compare with the float model and with ONNX Runtime, time.</summary>
internal sealed class ModeJob(QuantizeSettings settings, DatalessMode mode, CommandOutput output, CancellationToken cancellation)
{
    private readonly string _target = TargetFile.Of(settings.Model, settings.Output, mode.Suffix);

    public ModeReport Run()
    {
        TargetFile.CheckWritable(_target, settings.Model, settings.Overwrite);
        settings.Report.Check(settings.Overwrite, settings.Model, _target);
        if (settings.Recipe.Plan is not null) throw new UsageException($"--plan is for --mode static, and the mode is {mode.Name}; leave it out");
        OnnxRuntimeLibrary? library = settings.Common.OpenOnnxRuntime();
        Graph original = OnnxFile.Load(settings.Model);
        QuantizationResult result;
        Graph sized;
        try
        {
            sized = InputShapes.Fix(original, settings.Mode.InputShapes);
            result = mode.Make(Quantizer.For(original));
            ModelCheck.CheckRuntime(result.Model, TargetArguments.RuntimeOf(settings.Target));
        }
        catch (Exception problem) when (problem is InvalidDataException or ArgumentException)
        {
            string message = problem is ArgumentException argument ? CommandLine.WithoutParameter(argument) : problem.Message;
            throw message.StartsWith(settings.Model, StringComparison.Ordinal) ? problem : new InvalidDataException($"{settings.Model}: {message}", problem);
        }
        result.Save(_target);
        output.Written.Add(_target);
        if (mode.Recipe is not null) RecipeArguments.Write(settings, mode.Recipe, result.Plan, output);
        (Judgement? judgement, string? judging, ComparisonReport? comparison) = Judge(original, result.Model);
        Value? open = ModelSummary.FedInputs(sized).FirstOrDefault(input => input.Shape is not { IsKnown: true });
        IReadOnlyDictionary<string, Tensor>? inputs = open is null ? SampleInputs.Of(sized, settings.Common.Seed) : null;
        if (ShowsLayers && inputs is not null) comparison ??= LayerErrors.Of(original, result.Model, [new(inputs, 1, 0, null)], output, cancellation);
        return new(settings.Model, _target, mode.Name, result.Report, judgement, judging,
            new(QuantizeJob.FileBytes(settings.Model), QuantizeJob.FileBytes(_target), QuantizeJob.FileBytes(_target)),
            inputs is null ? null : RuntimeCheck.Of(original, result.Model, library, inputs),
            inputs is null ? [] : SpeedReport.Measure(result.Model, original, inputs, settings.Common, output, cancellation),
            open is null ? null : $"input {open} has open lengths: --input-shape {open.Name}=... states them, and the model is checked and timed", mode.Remark, comparison);
    }

    // A model that was quantized before has no float self to compare layers with.
    private bool ShowsLayers => settings.Report.Path is not null && mode.Name != "float";

    /// <summary>Nulls without data; errors of layers where a page shows them.</summary>
    private (Judgement?, string?, ComparisonReport?) Judge(Graph original, Graph model)
    {
        if (settings.Data is null) return (null, null, null);
        using ModelRunner reference = Engines.Fewbit(original), other = Engines.Fewbit(model);
        DataSet data = settings.Reading.Open(settings.Data, reference.Inputs);
        DataSet few = SampleSelection.Draw(data, PreprocessingChoice.TrialSamples, settings.Common.Seed);
        PreprocessingChoice preprocessing = PreprocessingChoice.Make(settings.Reading, original, reference, few, output, cancellation);
        var batches = new SampleBatches(data, reference.Inputs, preprocessing.Settings, settings.Reading.Batches);
        var judge = new PairedJudge(reference, batches.Enumerate, settings.Metric.Choose(reference, data), cacheBytes: 0);
        EvaluationResult result = output.WithProgress("judging", data.Count, "samples", progress => judge.Judge(other, progress, cancellation));
        ComparisonReport? layers = ShowsLayers ? LayerErrors.Of(original, model, new SampleBatches(few, reference.Inputs, preprocessing.Settings, settings.Reading.Batches), output, cancellation) : null;
        return (Judgement.Of(result, settings.Metric.ScoreOf(result)), $"{data.Description}; preprocessing {preprocessing}", layers);
    }
}
