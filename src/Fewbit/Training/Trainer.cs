using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>Trains a model: step by step, or over epochs of data.</summary>
/// <remarks>Forward pass, gradients and optimizer are one compiled plan for each batch size. The same seed gives the same bytes at any number of threads.</remarks>
public sealed partial class Trainer
{
    private readonly Graph _model;
    private readonly TrainingGraph _training;
    private readonly Dictionary<string, Plan> _plans = new(StringComparer.Ordinal);
    private PlateauState _plateau = new();

    /// <param name="model">The model as for inference; stays as it is. Its first output is what the loss judges.</param>
    /// <param name="options">How it learns; null for the defaults.</param>
    /// <exception cref="ArgumentException">The model has no weights to learn, or its output does not suit the loss.</exception>
    /// <exception cref="InvalidDataException">A node between a weight and the loss has no gradient rule.</exception>
    public Trainer(Graph model, TrainingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        (_model, Options) = (model, options ?? new());
        _training = new(model, Options);
        StepsPerEpoch = Options.StepsPerEpoch;
    }

    /// <summary>The settings.</summary>
    public TrainingOptions Options { get; }

    /// <summary>What learns.</summary>
    public IReadOnlyList<TrainedParameter> Parameters => _training.Parameters;

    /// <summary>Steps done.</summary>
    public long StepCount { get; private set; }

    /// <summary>Steps of an epoch; null until the options or the data state it.</summary>
    public int? StepsPerEpoch { get; private set; }

    /// <summary>Learning rate of the next step, before the factors of groups.</summary>
    public double LearningRate => Options.Optimizer.LearningRate * Options.Schedule.Factor(Clock()) * _plateau.Factor;

    /// <summary>One step: forward, gradients, update.</summary>
    /// <returns>The loss of the batch before the update.</returns>
    /// <exception cref="ArgumentException">An input is missing or has the wrong shape.</exception>
    public double Step(TrainingBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Plan plan = PlanFor(batch);
        foreach ((string name, Tensor tensor) in batch.Inputs) CopyIn(plan, name, tensor);
        WriteStep(plan);
        plan.Run();
        StepCount++;
        plan.CopyOutput(_training.LossName, _loss);
        return _loss.Span<float>()[0];
    }

    private readonly Tensor _loss = Tensor.Scalar(0f);

    /// <summary>The model with the weights of now, ready to run or save: batch normalizations are ordinary ones again.</summary>
    /// <param name="isAveraged">Whether the running average of the weights is taken; needs <see cref="TrainingOptions.AverageDecay"/>.</param>
    public Graph Model(bool isAveraged = false)
    {
        if (isAveraged && Options.AverageDecay is null) throw new InvalidOperationException($"there is no average of the weights: set {nameof(TrainingOptions)}.{nameof(TrainingOptions.AverageDecay)}");
        Graph copy = _model.Clone();
        foreach (Value constant in copy.Constants.ToArray())
        {
            if (_training.Updates.ContainsKey(constant.Name)) constant.SetConstant(Variable(isAveraged ? TrainingGraph.AverageOf(constant.Name) : constant.Name).Copy());
        }
        return copy;
    }

    private Tensor Variable(string name) => _training.Graph.Find(name)!.Constant!;

    private TrainingClock Clock()
    {
        if (StepsPerEpoch is not { } steps)
        {
            return !Options.Schedule.NeedsLength ? new(StepCount, 1, Options.Epochs)
                : throw new InvalidOperationException($"the schedule {Options.Schedule.Name} needs the length of an epoch: set {nameof(TrainingOptions)}.{nameof(TrainingOptions.StepsPerEpoch)}");
        }
        return new(StepCount, steps, (long)steps * Options.Epochs);
    }

    private static void CopyIn(Plan plan, string name, Tensor tensor)
    {
        Tensor buffer = plan.Input(name);
        if (tensor.Type != buffer.Type || tensor.Shape != buffer.Shape) throw new ArgumentException($"input '{name}' is {tensor}, expected {buffer}", nameof(tensor));
        tensor.CopyTo(buffer);
    }

    private void WriteStep(Plan plan)
    {
        double rate = LearningRate;
        for (int group = 0; group < _training.Groups.Count; group++)
        {
            if (_training.Graph.Find(TrainingGraph.StepInput(group)) is not null)
                Options.Optimizer.WriteStep(plan.Input(TrainingGraph.StepInput(group)).Span<float>(), rate * _training.Groups[group].LearningRateFactor, StepCount + 1);
        }
    }

    /// <summary>One plan for each combination of shapes: the last batch of an epoch may be smaller.</summary>
    private Plan PlanFor(TrainingBatch batch)
    {
        string key = string.Join(';', batch.Inputs.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{pair.Key}{pair.Value.Shape}"));
        if (_plans.TryGetValue(key, out Plan? plan)) return plan;
        var shapes = batch.Inputs.ToDictionary(pair => pair.Key, pair => pair.Value.Shape, StringComparer.Ordinal);
        foreach (Value input in _training.Graph.Inputs)
        {
            if (input.Constant is not null || shapes.ContainsKey(input.Name)) continue;
            bool isStep = input.Name.StartsWith("step", StringComparison.Ordinal) && input.Shape is { IsKnown: true };
            shapes[input.Name] = isStep ? input.Shape!.ToShape() : throw new ArgumentException($"the batch has no tensor for {input}; it has {string.Join(", ", batch.Inputs.Keys)}", nameof(batch));
        }
        plan = Plan.Compile(_training.Graph, new() { Inputs = shapes, Outputs = [_training.LossName, _training.OutputName], Updates = _training.Updates });
        _plans.Add(key, plan);
        return plan;
    }
}
