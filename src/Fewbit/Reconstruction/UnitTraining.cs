using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Graphs.Execution;
using Fewbit.Graphs.Operators;
using Fewbit.Graphs.Passes;
using Fewbit.Quantization;
using Fewbit.Rounding;
using Fewbit.Tensors;

namespace Fewbit.Reconstruction;

/// <summary>The step of one unit, compiled: batch in, soft weights, quantizers, loss, gradients, Adam. Replayed without allocation.</summary>
internal sealed class UnitTraining
{
    // The published code of QDrop keeps steps above the spacing of float32 at 1.
    private const float SmallestScale = 1.1920929e-7f;
    private const string Target = "target", OutputGradient = "output_gradient";
    private readonly ReconstructionUnit _unit;
    private readonly ReconstructionPass _pass;
    private readonly Dictionary<string, Tensor> _variables = new(StringComparer.Ordinal);
    private readonly List<(WeightSite Site, LearnedWeight Weight)> _weights = [];
    private readonly List<(ActivationSite Site, QuantizationParameters Start, Value Scale, float Gap)> _steps = [];
    private readonly Plan _plan;
    private readonly string[] _inputs;
    private readonly string _lossName;
    private readonly Tensor _loss = Tensor.Scalar(0f), _schedule, _roundingRate, _stepRate, _seed;

    /// <param name="prepared">The float graph.</param>
    /// <param name="unit">The unit.</param>
    /// <param name="state">Where it starts.</param>
    /// <param name="pass">What is learned and how.</param>
    /// <param name="teacherOf">All samples of a value that enters the unit.</param>
    public UnitTraining(Graph prepared, ReconstructionUnit unit, QuantizedState state, ReconstructionPass pass, Func<Value, Tensor> teacherOf)
    {
        (_unit, _pass) = (unit, pass);
        var cut = new UnitGraph(prepared, unit, value => SymbolicShape.From(teacherOf(value).Shape.With(0, pass.BatchSize)));
        Value seed = cut.Graph.AddInput("seed", ElementType.Int32, []);
        PutWeights(cut, state);
        Inference.Infer(cut.Graph);
        if (pass.QuantizesActivations) PutQuantizers(cut, state, seed);
        Value[] outputs = [.. unit.Outputs.Select(cut.Read)];
        _inputs = [.. unit.Inputs.Select(input => cut.InputOf(input).Name)];
        cut.Complete(outputs);
        Graph graph = cut.Graph;
        Value schedule = graph.AddInput("schedule", ElementType.Float32, [2]), roundingRate = graph.AddInput("rounding_rate", ElementType.Float32, [3]), stepRate = graph.AddInput("step_rate", ElementType.Float32, [3]);
        Value loss = Loss(graph, outputs, schedule);
        var updates = Updates(graph, loss, roundingRate, stepRate);
        _lossName = loss.Name;
        LayOut(graph, [loss.Name, .. updates.Values]);
        _plan = Plan.Compile(graph, new() { Inputs = graph.Inputs.ToDictionary(input => input.Name, input => input.Shape!.ToShape(), StringComparer.Ordinal), Outputs = [loss.Name], Updates = updates });
        (_schedule, _roundingRate, _stepRate, _seed) = (_plan.Input(schedule.Name), _plan.Input(roundingRate.Name), _plan.Input(stepRate.Name), _plan.Input(seed.Name));
    }

    /// <summary>Variables of the rounding and the optimizer by name: all that a checkpoint of the unit needs.</summary>
    public IReadOnlyDictionary<string, Tensor> Variables => _variables;

    /// <summary>The compiled step.</summary>
    public Plan Plan => _plan;

    /// <summary>Loss of the latest step, its regularizer included.</summary>
    public double Loss()
    {
        _plan.CopyOutput(_lossName, _loss);
        return _loss.Item<float>();
    }

    /// <summary>The features in the layouts that the step reads; they are reordered in place.</summary>
    public UnitFeatures LayOut(UnitFeatures features)
    {
        // The float network and the quantized one may read one tensor, such as the model's input: it is reordered once.
        var done = new Dictionary<Tensor, Tensor>(ReferenceEqualityComparer.Instance);
        Tensor[] All(Tensor[] tensors, Func<int, string> nameOf) => [.. tensors.Select((tensor, i) =>
            done.TryGetValue(tensor, out Tensor? ready) ? ready : done[tensor] = Rows.LayOut(tensor, _plan.Input(nameOf(i)).Layout))];
        return features with
        {
            Teacher = All(features.Teacher, i => _inputs[i]),
            Student = All(features.Student, i => _inputs[i]),
            Targets = All(features.Targets, i => Numbered(Target, i)),
            Gradients = All(features.Gradients, i => Numbered(OutputGradient, i)),
        };
    }

    /// <summary>Takes one step.</summary>
    /// <param name="iteration">From 0.</param>
    /// <param name="iterations">Steps of the unit.</param>
    /// <param name="random">Random numbers of this step.</param>
    /// <param name="cache">What the unit reads and is to compute.</param>
    public void Step(int iteration, int iterations, SeededRandom random, UnitFeatures cache)
    {
        Span<int> rows = stackalloc int[_pass.BatchSize];
        Draw(rows, cache.Samples, ref random);
        uint seed = (uint)random.NextBits();
        for (int i = 0; i < _inputs.Length; i++)
            _pass.Input.Fill(rows, cache.Teacher.Length > 0 ? cache.Teacher[i] : null, cache.Student.Length > 0 ? cache.Student[i] : null, _plan.Input(_inputs[i]), seed, (uint)i);
        for (int i = 0; i < cache.Targets.Length; i++) Rows.Gather(rows, cache.Targets[i], _plan.Input(Numbered(Target, i)));
        for (int i = 0; i < cache.Gradients.Length; i++) Rows.Gather(rows, cache.Gradients[i], _plan.Input(Numbered(OutputGradient, i)));
        _seed.Span<int>()[0] = (int)seed;
        (_schedule.Span<float>()[0], _schedule.Span<float>()[1]) = _pass.Regularizer(iteration, iterations);
        SetRate(_roundingRate, _pass.RoundingRate, iteration);
        SetRate(_stepRate, _pass.StepRateAt(iteration, iterations), iteration);
        _plan.Run();
        foreach (var step in _steps)
        {
            ref float scale = ref step.Scale.Constant!.Span<float>()[0];
            scale = MathF.Max(MathF.Abs(scale), SmallestScale / step.Gap);
        }
    }

    /// <summary>Writes what was learned into the state.</summary>
    /// <returns>Weights whose rounding was still between two codes.</returns>
    public int Finish(QuantizedState state)
    {
        foreach ((WeightSite site, LearnedWeight weight) in _weights) state.SetCodes(site, weight.Harden());
        foreach ((ActivationSite site, QuantizationParameters start, Value scale, _) in _steps) state.SetActivation(site, new(start.Numbers, scale.Constant!.Item<float>(), start.ZeroPoint));
        return _weights.Sum(pair => pair.Weight.Undecided());
    }

    private static void SetRate(Tensor rate, double value, int iteration)
    {
        Span<float> numbers = rate.Span<float>();
        (numbers[0], numbers[1], numbers[2]) = ((float)value, (float)(1 - Math.Pow(0.9, iteration + 1)), (float)(1 - Math.Pow(0.999, iteration + 1)));
    }

    private void Draw(Span<int> rows, int samples, ref SeededRandom random)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            do rows[i] = random.NextInt(samples);
            while (!_pass.DrawsWithRepeats && rows[..i].Contains(rows[i]));
        }
    }

    private void PutWeights(UnitGraph cut, QuantizedState state)
    {
        foreach (WeightSite site in state.WeightsOf(_unit))
        {
            if (_pass.Rounding is null)
            {
                cut.SetWeight(site.Node, site.Input, cut.Graph.AddConstant(site.Weight.Name + "/rounded", state.WeightOf(site)));
                continue;
            }
            LearnedWeight weight = _pass.Rounding.Add(cut.Graph, site.Weight.Name, site.Weight.Constant!, state.GridOf(site));
            _weights.Add((site, weight));
            cut.SetWeight(site.Node, site.Input, weight.Soft);
        }
    }

    private void PutQuantizers(UnitGraph cut, QuantizedState state, Value seed)
    {
        foreach ((int index, ActivationSite site) in state.ActivationsOf(_unit).Index())
        {
            if (!state.Activations.TryGetValue(site.Value.Name, out QuantizationParameters? parameters)) continue;
            cut.Quantize(site.Value, value => Quantizer(value, site, parameters, index, seed));
        }
    }

    private Value Quantizer(Value value, ActivationSite site, QuantizationParameters parameters, int stream, Value seed)
    {
        NumberFormat format = parameters.Numbers;
        Value[] operands = QuantizerNodes.Operands(site.Value, value.Graph, parameters);
        float gap = (float)QuantizerNodes.MeanGap(format);
        if (_pass.StepRate > 0)
        {
            operands[0].IsVariable = true;
            _steps.Add((site, parameters, operands[0], gap));
        }
        // What is learned is the scale times the gap, so that a rate moves the numbers of every format as far.
        double gradientScale = (_pass.ScalesStepGradients ? 1 / Math.Sqrt((double)value.Shape!.ToShape().ElementCount * QuantizerNodes.CountAbove(format)) : 1) / gap;
        return QuantizerNodes.AppendDropping(value, format, operands, seed, _pass.QuantizationProbability, stream, gradientScale);
    }

    private Value Loss(Graph graph, Value[] outputs, Value schedule)
    {
        Value? loss = null;
        foreach ((int index, Value output) in outputs.Index())
        {
            Value target = graph.AddInput(Numbered(Target, index), output.Type, output.Shape);
            Value? gradient = _pass.Objective.NeedsGradients ? graph.AddInput(Numbered(OutputGradient, index), output.Type, output.Shape) : null;
            Value part = _pass.Objective.Loss(output, target, gradient);
            loss = loss is null ? part : loss + part;
        }
        foreach ((_, LearnedWeight weight) in _weights)
        {
            if (weight.Regularizer(schedule) is { } regularizer) loss = loss! + regularizer;
        }
        return loss!;
    }

    private Dictionary<string, string> Updates(Graph graph, Value loss, Value roundingRate, Value stepRate)
    {
        (Value Variable, Value Rate)[] learned = [.. _weights.SelectMany(pair => pair.Weight.Variables).Select(variable => (variable, roundingRate)), .. _steps.Select(step => (step.Scale, RateOf(step.Gap)))];
        Value[] gradients = Gradients.Of(loss, [.. learned.Select(pair => pair.Variable)]);
        var updates = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (((Value variable, Value rate), Value gradient) in learned.Zip(gradients))
        {
            Value[] state = [variable, Moment(variable, "first_moment"), Moment(variable, "second_moment")];
            Node adam = graph.InsertNode(graph.Nodes.Count, OperatorTable.FewbitDomain, "AdamUpdate", [.. state, gradient, rate], outputs: 3);
            for (int i = 0; i < state.Length; i++)
            {
                updates[state[i].Name] = adam.Outputs[i].Name;
                _variables[state[i].Name] = state[i].Constant!;
            }
        }
        return updates;

        Value RateOf(float gap) => gap == 1 ? stepRate : stepRate * graph.AddConstant("rate_factors", Tensor.From(1 / gap, 1, 1));
    }

    /// <summary>Inputs that the step would reorder come in the layout that it computes in.</summary>
    private static void LayOut(Graph graph, IReadOnlyList<string> kept)
    {
        Graph trial = graph.Clone();
        Passes.PrepareForTraining(trial, kept);
        foreach (Value input in trial.Inputs.Where(input => input.Uses.Any(use => use.Node is { OpType: "Reorder" } reorder && reorder.Outputs[0].Layout != Layout.RowMajor)))
        {
            // Blocks that are filled up would make samples longer than the caches hold them.
            if (input.Shape![1].Length % 16 == 0) graph.Find(input.Name)!.Layout = Layout.ChannelBlocks16;
        }
        Passes.PrepareForTraining(graph, kept);
    }

    private static Value Moment(Value variable, string name)
    {
        Value moment = variable.Graph.AddConstant($"{variable.Name}/{name}", Tensor.Allocate(ElementType.Float32, variable.Constant!.Shape));
        moment.IsVariable = true;
        return moment;
    }

    private static string Numbered(string name, int index) => index == 0 ? name : $"{name}{index}";
}

/// <summary>All samples of what a unit reads and is to compute.</summary>
/// <param name="Samples">How many there are.</param>
/// <param name="Teacher">For each input of the unit, the float network's values; empty where they are not read.</param>
/// <param name="Student">For each input of the unit, the quantized prefix's values; empty where they are not read.</param>
/// <param name="Targets">For each output of the unit, the float network's values.</param>
/// <param name="Gradients">For each output of the unit, the gradient of the network's loss; empty where it is not needed.</param>
internal sealed record UnitFeatures(int Samples, Tensor[] Teacher, Tensor[] Student, Tensor[] Targets, Tensor[] Gradients)
{
    /// <summary>Puts features that were reordered in place back into row-major order.</summary>
    public void Restore()
    {
        foreach (Tensor tensor in new HashSet<Tensor>([.. Teacher, .. Student, .. Targets, .. Gradients], ReferenceEqualityComparer.Instance)) Rows.LayOut(tensor, Layout.RowMajor);
    }
}
