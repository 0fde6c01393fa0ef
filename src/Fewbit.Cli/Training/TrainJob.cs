using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Cli.Quantizing;
using Fewbit.Onnx;
using Fewbit.Tensors.Threading;
using Fewbit.Training;

namespace Fewbit.Cli.Training;

/// <summary>Trains as a recipe says.</summary>
internal sealed class TrainJob(TrainSettings settings, CommandOutput output, CancellationToken cancellation)
{
    private readonly TrainingRecipe _recipe = settings.Recipe;

    public TrainReport Run()
    {
        string name = _recipe.Model ?? throw new UsageException("no model is named: give an ONNX file or a reference model, 'fewbit new --list' shows them");
        if (_recipe.Data is null) throw new UsageException("no data are named: give --data");
        string? file = IsFile(name) ? name : null;
        string path = settings.Output ?? (file is null ? $"{name}.trained.onnx" : Path.ChangeExtension(file, ".trained.onnx"));
        Check(path, file);

        TrainingJobData data = TrainingJobData.Open(_recipe, file);
        var trainer = new Trainer(data.Model, _recipe.Options with
        {
            MixesSamples = _recipe.Augment.MixupAlpha > 0, CheckpointPath = settings.Checkpoint, CheckpointSteps = settings.CheckpointSteps, Resumes = settings.Resume,
        });
        string vocabulary = Path.ChangeExtension(path, ".vocabulary.json");
        if (data.Vocabulary is not null) TargetFile.CheckWritable(vocabulary, model: null, settings.Overwrite || settings.Resume || (_recipe.Vocabulary is { } given && Path.GetFullPath(given) == Path.GetFullPath(vocabulary)));
        TrainingResult result = Fit(trainer, data.Source, data.Validation);
        OnnxFile.Save(result.Model, path);
        output.Written.Add(path);
        if (data.Vocabulary is not null)
        {
            data.Vocabulary.Save(vocabulary);
            output.Written.Add(vocabulary);
        }
        return new(path, name, data.Source.Description, data.Validation?.Description, trainer.Parameters.Sum(parameter => parameter.Shape.ElementCount), result.Epochs, result.BestEpoch,
            _recipe.Seed, result.Epochs.Sum(epoch => epoch.Seconds), Processor.Name, Workers.ThreadCount);
    }

    /// <summary>A name that ends in .onnx, or that holds a folder, is meant as a file even where there is none.</summary>
    private static bool IsFile(string name) => File.Exists(name) || name.EndsWith(".onnx", StringComparison.OrdinalIgnoreCase) || Path.GetFileName(name) != name;

    private void Check(string path, string? model)
    {
        // A run that is killed right behind its last step has written the model already.
        TargetFile.CheckWritable(path, model, settings.Overwrite || settings.Resume);
        if (settings.Metrics is { } metrics)
        {
            MetricsFile.Check(metrics);
            TargetFile.CheckWritable(metrics, model, settings.Overwrite || settings.Resume);
        }
        if (settings.Resume && settings.Checkpoint is null) throw new UsageException("--resume needs the file to go on from: give --checkpoint");
        if (settings.CheckpointSteps is not null && settings.Checkpoint is null) throw new UsageException("--checkpoint-steps needs the file to write: give --checkpoint");
        if (settings.Checkpoint is { } checkpoint) CheckpointFile.Check(checkpoint, path, settings.Resume, settings.Overwrite);
        if (settings.CheckpointSteps < 1) throw new UsageException($"--checkpoint-steps is {settings.CheckpointSteps}, expected 1 or more");
    }

    private TrainingResult Fit(Trainer trainer, ITrainingSource data, ITrainingSource? validation)
    {
        int steps = _recipe.Options.StepsPerEpoch ?? data.StepsPerEpoch;
        try
        {
            return output.WithProgress("training", (long)steps * _recipe.Options.Epochs, "steps", live =>
                trainer.FitAsync(data, validation, new Shown(live, trainer, settings.Metrics), cancellation).GetAwaiter().GetResult());
        }
        catch (OperationCanceledException) when (settings.Checkpoint is not null)
        {
            CheckpointFile.Announce(settings.Checkpoint, output);
            throw;
        }
    }

    /// <summary>Shows the progress, and writes the metrics after each epoch.</summary>
    private sealed class Shown(ILiveProgress live, Trainer trainer, string? metrics) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Ended is { } ended)
            {
                live.Line(TrainReport.Line(ended, value.Epochs));
                if (metrics is not null) MetricsFile.Write(metrics, trainer.Epochs);
                return;
            }
            live.Title = FormattableString.Invariant($"epoch {value.Epoch}, loss {value.Loss:F4}");
            live.Report(value.Step);
        }
    }
}
