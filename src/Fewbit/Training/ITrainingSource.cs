using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Batches to learn from or to judge by: the same ones for the same epoch, so that training can be resumed at any step.</summary>
public interface ITrainingSource
{
    /// <summary>One line for people: what the data are.</summary>
    string Description { get; }

    /// <summary>Everything that the batches depend on, for the check that a resumed training has the same data.</summary>
    string Fingerprint { get; }

    /// <summary>Batches of an epoch.</summary>
    int StepsPerEpoch { get; }

    /// <summary>The batches of an epoch from one on: a tensor for each input of the model and <see cref="Trainer.Target"/>. A batch is valid until the next is asked for.</summary>
    /// <param name="epoch">The epoch, from 0.</param>
    /// <param name="first">The first batch wanted, from 0.</param>
    /// <param name="cancellation">Ends the enumeration with <see cref="OperationCanceledException"/>.</param>
    IEnumerable<IReadOnlyDictionary<string, Tensor>> Epoch(int epoch, int first, CancellationToken cancellation);
}
