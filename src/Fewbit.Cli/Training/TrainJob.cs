using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Cli.Inspection;
using Fewbit.Cli.Quantizing;
using Fewbit.Data;
using Fewbit.Data.Training;
using Fewbit.Graphs;
using Fewbit.Models;
using Fewbit.Onnx;
using Fewbit.Tensors.Threading;
using Fewbit.Training;

namespace Fewbit.Cli.Training;

/// <summary>Trains as a recipe says.</summary>
internal sealed class TrainJob(TrainSettings settings, CommandOutput output, CancellationToken cancellation)
{
    private const int LargestSmallPicture = 64;
    private readonly TrainingRecipe _recipe = settings.Recipe;

    public TrainReport Run()
    {
        string name = _recipe.Model ?? throw new UsageException("no model is named: give an ONNX file or a reference model, 'fewbit new --list' shows them");
        string dataPath = _recipe.Data ?? throw new UsageException("no data are named: give --data");
        bool isFile = File.Exists(name);
        string path = settings.Output ?? (isFile ? Path.ChangeExtension(name, ".trained.onnx") : $"{name}.trained.onnx");
        Check(path, isFile ? name : null);

        (DataSet data, DataSet? validation, string? validationName) = OpenData(dataPath);
        Graph model = isFile ? OnnxFile.Load(name) : Reference(name, data);
        Preprocessing? preprocessing = data.IsPictures ? ChoosePreprocessing(model, isFile) : null;
        if (preprocessing is not null) PreprocessingMetadata.Write(model, preprocessing);
        var source = new DataSetSource(data, model, preprocessing, new() { BatchSize = _recipe.Batch, Seed = _recipe.Seed, DropLast = _recipe.DropsLast, Augmentation = _recipe.Augment });
        DataSetSource? judge = validation is null ? null : new(validation, model, preprocessing, new() { BatchSize = _recipe.Batch, Shuffle = false, DropLast = false });

        var trainer = new Trainer(model, _recipe.Options with
        {
            MixesSamples = _recipe.Augment.MixupAlpha > 0, CheckpointPath = settings.Checkpoint, CheckpointSteps = settings.CheckpointSteps, Resumes = settings.Resume,
        });
        TrainingResult result = Fit(trainer, source, judge);
        OnnxFile.Save(result.Model, path);
        output.Written.Add(path);
        return new(path, name, data.Description, validationName, trainer.Parameters.Sum(parameter => parameter.Shape.ElementCount), result.Epochs, result.BestEpoch,
            _recipe.Seed, result.Epochs.Sum(epoch => epoch.Seconds), Processor.Name, Workers.ThreadCount);
    }

    private void Check(string path, string? model)
    {
        TargetFile.CheckWritable(path, model, settings.Overwrite);
        if (settings.Metrics is { } metrics) MetricsFile.Check(metrics);
        if (settings.Resume && settings.Checkpoint is null) throw new UsageException("--resume needs the file to go on from: give --checkpoint");
        if (settings.Checkpoint is { } checkpoint && !settings.Resume) TargetFile.CheckWritable(checkpoint, model, settings.Overwrite);
        if (settings.CheckpointSteps < 1) throw new UsageException($"--checkpoint-steps is {settings.CheckpointSteps}, expected 1 or more");
    }

    private (DataSet Data, DataSet? Validation, string? Name) OpenData(string path)
    {
        DataSet data = Open(path);
        if (_recipe.Validation is { } named)
        {
            DataSet validation = Open(named);
            return (data, validation, validation.Description);
        }
        if (_recipe.ValidationShare == 0) return (data, null, null);
        (DataSet kept, DataSet heldOut) = SampleSelection.Split(data, _recipe.Seed, _recipe.ValidationShare);
        return (kept, heldOut, $"{Words.Plural(heldOut.Count, "sample")} of {path}, held out with seed {_recipe.Seed}");
    }

    private DataSet Open(string path)
    {
        DataSet data = DataSetReader.Open(path, new() { Labels = _recipe.Labels is null ? null : LabelMap.Read(_recipe.Labels), LabelPattern = _recipe.LabelPattern, LabelKey = _recipe.LabelKey });
        return data.Count > 0 ? data : throw new InvalidDataException($"{path}: holds no samples");
    }

    private Graph Reference(string name, DataSet data)
    {
        ReferenceModel model = ReferenceModels.Find(name);
        int? classes = _recipe.Classes ?? data.ClassNames?.Count ?? (data.Labels is { } labels ? labels.Max() + 1 : null);
        return model.Create(new() { Classes = classes, InputSize = _recipe.InputSize, Seed = _recipe.Seed });
    }

    private Preprocessing ChoosePreprocessing(Graph model, bool isFile)
    {
        if (_recipe.Preprocess is { } named) return Preprocessing.Parse(named);
        if (PreprocessingMetadata.Read(model) is { } stated) return stated;
        if (isFile) throw new UsageException($"the model does not state how its pictures are prepared: give --preprocess {string.Join("|", Preprocessing.Presets.Select(preset => preset.Name))} or a JSON file");
        return model.Inputs[0].Shape is { Rank: 4 } shape && shape[2].IsKnown && shape[2].Length <= LargestSmallPicture ? Preprocessing.Cifar10 : Preprocessing.ImageNet;
    }

    private TrainingResult Fit(Trainer trainer, DataSetSource data, DataSetSource? validation)
    {
        int steps = _recipe.Options.StepsPerEpoch ?? data.StepsPerEpoch;
        return output.WithProgress("training", (long)steps * _recipe.Options.Epochs, "steps", live =>
            trainer.FitAsync(data, validation, new Shown(live, trainer, settings.Metrics), cancellation).GetAwaiter().GetResult());
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
