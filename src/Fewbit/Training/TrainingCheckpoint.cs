using System.Text.Json;
using Fewbit.Storage;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Writes and reads the state of a training: a section of the project's container.</summary>
/// <param name="trainer">What is trained.</param>
/// <param name="path">The checkpoint's file.</param>
/// <param name="data">What it learns from.</param>
internal sealed class TrainingCheckpoint(Trainer trainer, string path, ITrainingSource data)
{
    private const string SectionName = "training", State = "state", Variables = "variable/", Best = "best/";
    private const int Version = 1;
    private readonly ArtifactFingerprint _fingerprint = Fingerprint(trainer, data);

    public void Save()
    {
        var artifact = new Artifact(Artifact.Checkpoint, _fingerprint);
        ArtifactSection section = artifact.Add(SectionName, Version);
        section.Set(State, trainer.State);
        foreach ((string name, Tensor tensor) in trainer.Variables) section.Tensors.Add(Variables + name, tensor);
        foreach ((string name, Tensor tensor) in trainer.BestTensors) section.Tensors.Add(Best + name, tensor);
        ArtifactFile.Write(path, artifact);
    }

    /// <summary>Brings the trainer to the state of the file.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">The file is damaged or belongs to another training.</exception>
    public void Restore()
    {
        if (!File.Exists(path)) throw new FileNotFoundException($"{path}: there is no checkpoint to resume from", path);
        Artifact artifact = ArtifactFile.Read(path);
        artifact.Fingerprint.RequireSame(_fingerprint, path);
        ArtifactSection section = artifact.Section(SectionName, Version);
        foreach ((string name, Tensor tensor) in trainer.Variables) section.Tensor(Variables + name, tensor.Type, tensor.Shape).CopyTo(tensor);
        var best = section.Tensors.Where(pair => pair.Key.StartsWith(Best, StringComparison.Ordinal)).ToDictionary(pair => pair.Key[Best.Length..], pair => pair.Value, StringComparer.Ordinal);
        trainer.Restore(section.Get<TrainingState>(State), best);
    }

    private static ArtifactFingerprint Fingerprint(Trainer trainer, ITrainingSource data)
    {
        TrainingOptions options = trainer.Options;
        // Each part by its own type: the serializer would write no more than the base class states.
        object?[] parts = [options.Optimizer, options.Schedule, .. options.Groups, options.Loss, options.Epochs, trainer.StepsPerEpoch, options.ClipNorm, options.ClipValue,
            options.AverageDecay, options.FreezesBatchNorm, options.MixesSamples, options.KeepsBest];
        string text = string.Join('\n', parts.Select(part => JsonSerializer.Serialize(part)));
        return new(ContentHash.OfGraph(trainer.Original), ContentHash.OfText(data.Fingerprint), ContentHash.OfText(text));
    }
}

/// <summary>What of a training is no tensor.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Epoch">Epochs done.</param>
/// <param name="StepInEpoch">Steps done of the epoch that runs.</param>
/// <param name="LossSum">Sum of their losses.</param>
/// <param name="LearningRate">Rate of the last step.</param>
/// <param name="Plateau">What the plateau schedule remembers.</param>
/// <param name="Epochs">What the epochs brought.</param>
/// <param name="BestEpoch">The epoch of the best weights; 0 without.</param>
internal sealed record TrainingState(long Step, int Epoch, int StepInEpoch, double LossSum, double LearningRate, PlateauState Plateau, IReadOnlyList<EpochReport> Epochs, int BestEpoch);
