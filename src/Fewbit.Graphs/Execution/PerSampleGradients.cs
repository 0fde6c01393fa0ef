using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>Gradients of parameters for each sample of a batch by itself: for Fisher information, influence, clipping by sample.</summary>
/// <remarks>
/// A plan for one sample is run for each: exact for every operator, at the memory of one sample. Where an operator looks at the whole batch (batch normalization
/// in training), it sees the one sample. The gradients of a value that has the batch as a dimension need none of this: <see cref="Gradients.Of"/> of the sum of the
/// samples' losses gives each sample its own.
/// </remarks>
public sealed class PerSampleGradients
{
    private readonly Plan _plan;
    private readonly string[] _inputs;
    private readonly string[] _gradients;

    private PerSampleGradients(Plan plan, string[] inputs, string[] gradients) => (_plan, _inputs, _gradients) = (plan, inputs, gradients);

    /// <summary>Compiles the gradients of one sample.</summary>
    /// <param name="loss">One number for a batch of one sample. Its graph is not changed.</param>
    /// <param name="parameters">Values of the graph that have no dimension of the batch.</param>
    /// <param name="inputs">Shape of each graph input for one sample, dimension 0 of length 1; a scalar is the same for all samples.</param>
    /// <exception cref="ArgumentException">An input has neither a sample in dimension 0 nor rank 0.</exception>
    /// <exception cref="InvalidDataException">A node between parameters and loss has no gradient rule.</exception>
    public static PerSampleGradients Compile(Value loss, IReadOnlyList<Value> parameters, IReadOnlyDictionary<string, Shape> inputs)
    {
        foreach ((string name, Shape shape) in inputs)
        {
            if (shape.Rank > 0 && shape[0] != 1) throw new ArgumentException($"input '{name}' of one sample is {shape}, expected length 1 in dimension 0", nameof(inputs));
        }
        Graph graph = loss.Graph.Clone();
        Value[] gradients = Gradients.Of(graph.Find(loss.Name)!, [.. parameters.Select(parameter => graph.Find(parameter.Name)!)]);
        string[] names = [.. gradients.Select(gradient => gradient.Name)];
        return new(Plan.Compile(graph, new() { Inputs = inputs, Outputs = names }), [.. inputs.Keys], names);
    }

    /// <summary>The gradients of a batch.</summary>
    /// <param name="inputs">A tensor for each input, dimension 0 the samples; scalars as they are.</param>
    /// <returns>For each parameter a tensor [samples, parameter].</returns>
    /// <exception cref="ArgumentException">An input is missing, or of another type or shape than the plan was compiled for.</exception>
    public Tensor[] Run(IReadOnlyDictionary<string, Tensor> inputs)
    {
        long samples = Count(inputs);
        Tensor[] results = Array.ConvertAll(_gradients, _ => (Tensor)null!);
        for (long sample = 0; sample < samples; sample++)
        {
            foreach (string name in _inputs) (inputs[name].Rank == 0 ? inputs[name] : Sample(inputs[name], sample)).CopyTo(_plan.Input(name));
            _plan.Run();
            for (int i = 0; i < results.Length; i++)
            {
                Tensor gradient = _plan.Output(_gradients[i]);
                if (sample == 0) results[i] = Tensor.AllocateUninitialized(gradient.Type, new([samples, .. gradient.Shape.Dims]));
                gradient.CopyTo(results[i].View(gradient.Type, gradient.Shape, sample * gradient.ByteCount));
            }
        }
        return results;
    }

    private static Tensor Sample(Tensor batch, long sample)
    {
        var one = batch.Shape.With(0, 1);
        return batch.View(batch.Type, one, sample * batch.Type.ByteCount(one.ElementCount));
    }

    private long Count(IReadOnlyDictionary<string, Tensor> inputs)
    {
        long samples = -1;
        foreach (string name in _inputs)
        {
            Tensor expected = _plan.Input(name), tensor = inputs.GetValueOrDefault(name) ?? throw new ArgumentException($"no tensor is given for input '{name}'", nameof(inputs));
            bool fits = tensor.Type == expected.Type && tensor.Rank == expected.Rank && (tensor.Rank == 0 || tensor.Shape.With(0, 1) == expected.Shape);
            if (!fits) throw new ArgumentException($"input '{name}' is {tensor}, but the plan is compiled for samples of {expected}", nameof(inputs));
            if (tensor.Rank == 0) continue;
            if (samples >= 0 && tensor.Shape[0] != samples) throw new ArgumentException($"input '{name}' holds {tensor.Shape[0]} samples, others {samples}", nameof(inputs));
            samples = tensor.Shape[0];
        }
        return samples > 0 ? samples : throw new ArgumentException("there are no samples, expected one or more", nameof(inputs));
    }
}
