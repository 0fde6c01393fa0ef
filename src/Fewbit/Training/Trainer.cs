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
    private readonly HashSet<string> _inputs;
    private readonly List<Plan> _plans = [];
    private readonly Tensor _loss = Tensor.Scalar(0f);
    private PlateauState _plateau = new();

    /// <summary>Name of what the model should have said: classes int64 [N] (tokens [N, T]), or numbers of the output's shape.</summary>
    public const string Target = "target";

    /// <summary>Name of the second classes of mixed samples, int64 [N].</summary>
    public const string SecondTarget = "target2";

    /// <summary>Name of the share of the first classes in mixed samples, one number.</summary>
    public const string Share = "share";

    /// <param name="model">The model as for inference; stays as it is. Its first output is what the loss judges.</param>
    /// <param name="options">How it learns; null for the defaults.</param>
    /// <exception cref="ArgumentException">The model has no weights to learn, or its output does not suit the loss.</exception>
    /// <exception cref="InvalidDataException">A node between a weight and the loss has no gradient rule.</exception>
    public Trainer(Graph model, TrainingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        (_model, Options) = (model, options ?? new());
        _training = new(model, Options);
        _inputs = [.. _training.Graph.Inputs.Where(input => input.Constant is null && !_training.IsStep(input)).Select(input => input.Name)];
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
    /// <param name="batch">A tensor for each input of the model, and <see cref="Target"/>.</param>
    /// <returns>The loss of the batch before the update.</returns>
    /// <exception cref="ArgumentException">A tensor is missing or has the wrong shape.</exception>
    public double Step(IReadOnlyDictionary<string, Tensor> batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        Plan plan = _plans.Find(plan => Takes(plan, batch)) ?? Compile(batch);
        foreach ((string name, Tensor tensor) in batch) tensor.CopyTo(plan.Input(name));
        WriteStep(plan);
        plan.Run();
        StepCount++;
        plan.CopyOutput(_training.LossName, _loss);
        return _loss.Span<float>()[0];
    }

    /// <summary>The model with the weights of now, ready to run or save: batch normalizations are ordinary ones again.</summary>
    /// <param name="isAveraged">Whether the running average of the weights is taken; needs <see cref="TrainingOptions.AverageDecay"/>.</param>
    public Graph Model(bool isAveraged = false) => ModelWith(CopyWeights(isAveraged));

    /// <summary>The model as it was given.</summary>
    internal Graph Original => _model;

    /// <summary>Copies of what training changes of the model, by name.</summary>
    private Dictionary<string, Tensor> CopyWeights(bool isAveraged)
    {
        if (isAveraged && Options.AverageDecay is null) throw new InvalidOperationException($"there is no average of the weights: set {nameof(TrainingOptions)}.{nameof(TrainingOptions.AverageDecay)}");
        return _model.Constants.Where(constant => _training.Updates.ContainsKey(constant.Name))
            .ToDictionary(constant => constant.Name, constant => (isAveraged ? _training.AverageOf(constant.Name) : _training.Graph.Find(constant.Name)!.Constant!).Copy(), StringComparer.Ordinal);
    }

    private Graph ModelWith(IReadOnlyDictionary<string, Tensor> weights)
    {
        Graph copy = _model.Clone();
        foreach ((string name, Tensor tensor) in weights) copy.Find(name)!.SetConstant(tensor);
        return copy;
    }

    private TrainingClock Clock()
    {
        if (StepsPerEpoch is not { } steps)
        {
            return !Options.Schedule.NeedsLength ? new(StepCount, 1, Options.Epochs)
                : throw new InvalidOperationException($"the schedule {Options.Schedule.Name} needs the length of an epoch: set {nameof(TrainingOptions)}.{nameof(TrainingOptions.StepsPerEpoch)}");
        }
        return new(StepCount, steps, (long)steps * Options.Epochs);
    }

    private void WriteStep(Plan plan)
    {
        double rate = LearningRate;
        foreach ((int group, Value input) in _training.Steps)
            Options.Optimizer.WriteStep(plan.Input(input.Name).Span<float>(), rate * _training.Groups[group].LearningRateFactor, StepCount + 1);
    }

    /// <summary>Whether a plan is compiled for the shapes of a batch; the last of an epoch may be smaller.</summary>
    private bool Takes(Plan plan, IReadOnlyDictionary<string, Tensor> batch)
    {
        foreach ((string name, Tensor tensor) in batch)
        {
            if (!_inputs.Contains(name) || plan.Input(name) is var input && (input.Shape != tensor.Shape || input.Type != tensor.Type)) return false;
        }
        return batch.Count == _inputs.Count;
    }

    private Plan Compile(IReadOnlyDictionary<string, Tensor> batch)
    {
        var shapes = new Dictionary<string, Shape>(StringComparer.Ordinal);
        foreach (Value input in _training.Graph.Inputs.Where(input => input.Constant is null))
        {
            if (_training.IsStep(input)) shapes.Add(input.Name, input.Shape!.ToShape());
            else if (!batch.TryGetValue(input.Name, out Tensor? tensor)) throw new ArgumentException($"the batch has no tensor for {input}; it has {string.Join(", ", batch.Keys)}", nameof(batch));
            else if (tensor.Type != input.Type || input.Shape is { } shape && !shape.Matches(tensor.Shape)) throw new ArgumentException($"input {input} is given {tensor}", nameof(batch));
            else shapes.Add(input.Name, tensor.Shape);
        }
        if (batch.Keys.FirstOrDefault(name => !shapes.ContainsKey(name)) is { } unknown) throw new ArgumentException($"the batch has a tensor '{unknown}' that nothing takes; expected {string.Join(", ", shapes.Keys)}", nameof(batch));
        Plan plan = Plan.Compile(_training.Graph, new() { Inputs = shapes, Outputs = [_training.LossName], Updates = _training.Updates, DetectsAnomalies = Options.DetectsAnomalies });
        _plans.Add(plan);
        return plan;
    }
}
