using Fewbit.Graphs;
using Fewbit.Graphs.Passes;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>A parameter that learns.</summary>
/// <param name="Name">Its name in the model.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Group">Number of its group; the last is that of all parameters without one.</param>
public sealed record TrainedParameter(string Name, Shape Shape, int Group);

/// <summary>A model with loss, gradients and optimizer: what a plan replays.</summary>
internal sealed class TrainingGraph
{
    private readonly TrainingOptions _options;
    private readonly Dictionary<string, string> _updates = new(StringComparer.Ordinal);
    private readonly List<TrainedParameter> _parameters = [];
    private readonly Dictionary<int, Value> _steps = [];
    private readonly Dictionary<string, Value> _averages = new(StringComparer.Ordinal);

    /// <param name="model">The model; stays as it is.</param>
    /// <param name="options">How it learns.</param>
    public TrainingGraph(Graph model, TrainingOptions options)
    {
        _options = options;
        Groups = [.. options.Groups, new ParameterGroup()];
        Graph = model.Clone();
        Inference.Infer(Graph);
        Value[] learned = [.. Learned()];
        // Statistics that training keeps are averaged with the weights.
        string[] statistics = options.FreezesBatchNorm ? [] : TrainBatchNorms();
        Passes.PrepareForGradients(Graph);
        Loss loss = Loss.Append(Graph.Outputs[0], options.Loss, options.MixesSamples);
        LossName = loss.Value.Name;
        Value[] gradients = Clipped(Gradients.Of(loss.Value, learned));
        if (options.RecomputesActivations) new RecomputeActivations(loss.Value).Run(Graph);
        AppendUpdates(learned, gradients);
        if (options.AverageDecay is { } decay) AppendAverages([.. statistics, .. learned.Select(value => value.Name)], (float)decay);
        foreach (string name in _updates.Keys) Own(Graph.Find(name)!);
        foreach (Value output in Graph.Outputs.ToArray()) Graph.RemoveOutput(output);
        Passes.PrepareForTraining(Graph, [LossName, .. _updates.Values]);
    }

    public Graph Graph { get; }

    /// <summary>The groups of the options and, last, the group of all other parameters.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    public IReadOnlyList<TrainedParameter> Parameters => _parameters;

    public IReadOnlyDictionary<string, string> Updates => _updates;

    public string LossName { get; }

    /// <summary>The graph inputs with the numbers of the step, by group.</summary>
    public IReadOnlyDictionary<int, Value> Steps => _steps;

    /// <summary>Whether a graph input holds a group's numbers of the step.</summary>
    public bool IsStep(Value input) => _steps.ContainsValue(input);

    /// <summary>The running average of a variable.</summary>
    public Tensor AverageOf(string name) => _averages[name].Constant!;

    /// <summary>Lets batch normalizations use the statistics of the batch; the model to save keeps its ordinary nodes.</summary>
    /// <returns>Names of the running statistics.</returns>
    private string[] TrainBatchNorms()
    {
        var pass = new TrainBatchNorm();
        pass.Run(Graph);
        foreach ((string statistic, string updated) in pass.Updates) _updates.Add(statistic, updated);
        return [.. pass.Updates.Keys];
    }

    private IEnumerable<Value> Learned()
    {
        foreach (Value value in TrainableParameters.Find(Graph))
        {
            int group = Groups.Index().First(pair => pair.Item.Takes(value.Name, value.Constant!.Rank)).Index;
            if (Groups[group].IsFrozen) continue;
            value.IsVariable = true;
            _parameters.Add(new(value.Name, value.Constant!.Shape, group));
            yield return value;
        }
        if (_parameters.Count == 0) throw new ArgumentException($"graph '{Graph.Name}' has no weights to learn{(_options.Groups.Any(group => group.IsFrozen) ? ": all are in frozen groups" : "")}");
    }

    private Value[] Clipped(Value[] gradients)
    {
        if (_options.ClipValue is { } size) gradients = [.. gradients.Select(gradient => gradient.Apply("Clip", gradient.Scalar(-size), gradient.Scalar(size)))];
        if (_options.ClipNorm is not { } largest) return gradients;
        Value? squares = null;
        foreach (Value gradient in gradients)
        {
            Value square = (gradient * gradient).SumToShapeOf(gradient.Scalar(0));
            squares = squares is null ? square : squares + square;
        }
        // The small number keeps the quotient finite, as in PyTorch.
        Value factor = (squares!.Scalar(largest) / (squares.Apply("Sqrt") + 1e-6f)).Apply("Min", squares.Scalar(1));
        return [.. gradients.Select(gradient => gradient * factor)];
    }

    private void AppendUpdates(Value[] learned, Value[] gradients)
    {
        for (int i = 0; i < learned.Length; i++)
        {
            int group = _parameters[i].Group;
            if (!_steps.TryGetValue(group, out Value? step)) _steps.Add(group, step = Graph.AddInput(Graph.UniqueName($"step{group}"), ElementType.Float32, [_options.Optimizer.StepNumbers]));
            _options.Optimizer.Append(new(learned[i], gradients[i], step, Groups[group].WeightDecay ?? _options.Optimizer.WeightDecay, _updates));
        }
    }

    private void AppendAverages(string[] names, float decay)
    {
        foreach (string name in names)
        {
            Value average = _averages[name] = Graph.AddConstant($"{name}/average", Graph.Find(name)!.Constant!), updated = Graph.Find(_updates[name])!;
            average.IsVariable = true;
            _updates.Add(average.Name, (average * decay + updated * (1 - decay)).Name);
        }
    }

    /// <summary>Gives a variable memory of its own: constants of graphs are shared.</summary>
    private static void Own(Value variable) => variable.SetConstant(variable.Constant!.Copy());
}
