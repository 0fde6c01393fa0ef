using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Control;

/// <summary>ONNX Loop: a body that runs on its own results, for a number of times, while a condition holds, or both.</summary>
/// <remarks>
/// Inputs: trip count and condition, both may be left out; the initial states. The body takes the iteration's number, the condition and the states, and returns
/// the condition, the states, and values that are stacked along a new first dimension. The returned condition counts unless a trip count is given alone.
/// </remarks>
internal sealed record Loop(Graph Body) : IDifferentiable
{
    public static Loop Parse(Node node)
    {
        Graph body = node.Subgraph("body");
        int states = Math.Max(0, node.Inputs.Count - 2);
        node.Expect(body.Inputs.Count == states + 2, $"its body has {body.Inputs.Count} inputs, expected {states + 2}: iteration, condition and {states} states");
        node.Expect(body.Outputs.Count > states, $"its body has {body.Outputs.Count} outputs, expected at least {states + 1}: condition and {states} states");
        node.Expect(node.Outputs.Count < body.Outputs.Count, $"has {node.Outputs.Count} outputs, but its body returns {body.Outputs.Count - 1} values besides the condition");
        return new(body);
    }

    private int States => Body.Inputs.Count - 2;

    public void Infer(InferenceContext context)
    {
        ValueFacts[] states = [.. Enumerable.Range(2, States).Select(i => new ValueFacts(context.InputType(i), context.InputShape(i)))];
        ValueFacts[] controls = [new(ElementType.Int64, SymbolicShape.From(ShapeOf(0))), new(ElementType.Bool, SymbolicShape.From(ShapeOf(1)))];
        if (context.InferIterated(Body, controls, states, [], firstState: 1) is not { } outputs) return;
        for (int i = 0; i < context.Node.Outputs.Count; i++)
        {
            if (i < States) context.SetOutput(i, states[i].Type, states[i].Shape);
            else context.SetOutput(i, outputs[i + 1].Type, outputs[i + 1].Shape?.Insert(0, KnownIterations(context)));
        }
    }

    public void Evaluate(EvaluationContext context)
    {
        long? tripCount = context.FindInput(0) is { } count ? TripCount(context.Node, count) : null;
        bool isConditionGiven = context.FindInput(1) is not null;
        bool goesOn = !isConditionGiven || Condition(context.Node, context.Input(1));
        Tensor[] states = [.. Enumerable.Range(2, States).Select(context.Input)];
        var collected = new List<Tensor>[context.OutputCount - Math.Min(States, context.OutputCount)];
        for (int i = 0; i < collected.Length; i++) collected[i] = [];
        for (long iteration = 0; goesOn && (tripCount is null || iteration < tripCount); iteration++)
        {
            context.CountIteration();
            Tensor[] results = context.RunBody(Body, [Tensor.From([iteration], ShapeOf(0)), Tensor.From([true], ShapeOf(1)), .. states]);
            goesOn = Condition(context.Node, results[0]) || (tripCount is not null && !isConditionGiven);
            states = results[1..(States + 1)];
            for (int i = 0; i < collected.Length; i++) collected[i].Add(results[States + 1 + i]);
        }
        for (int i = 0; i < Math.Min(States, context.OutputCount); i++) context.Provide(i, states[i]);
        for (int i = 0; i < collected.Length; i++) context.Provide(States + i, Slices.Stack(context.Node, collected[i], Body.Outputs[States + 1 + i], axis: 0));
    }

    public void Gradient(GradientContext context) => ControlGradient.OfUnrolled(context, Body, () => SpellOut(context));

    /// <summary>The iterations one after the other, where their number is known.</summary>
    private List<Value> SpellOut(GradientContext context)
    {
        Node node = context.Node;
        bool staysTrue = KeepsCondition() && (node.Input(1) is null or { IsConstant: true, Constant: { Type: ElementType.Bool, ElementCount: 1 } } && (node.Input(1)?.Constant?.Item<bool>() ?? true));
        node.Expect(node.Input(0) is { Constant: not null } && (staysTrue || node.Input(1) is null), $"its gradient rule needs a constant trip count and a condition that stays true");
        long count = Math.Max(0, node.KnownInts(0)[0]);
        Value[] states = [.. Enumerable.Range(2, States).Select(context.Input)];
        var slices = new List<Value>[Body.Outputs.Count - 1 - States];
        for (int i = 0; i < slices.Length; i++) slices[i] = [];
        for (long iteration = 0; iteration < count; iteration++)
        {
            var given = new Dictionary<Value, Value>
            {
                [Body.Inputs[0]] = context.Graph.AddConstant("iteration", Tensor.From([iteration], ShapeOf(0))),
                [Body.Inputs[1]] = context.Graph.AddConstant("condition", Tensor.From([true], ShapeOf(1))),
            };
            for (int i = 0; i < States; i++) given[Body.Inputs[2 + i]] = states[i];
            Value[] results = BodyInlining.Inline(Body, context.Graph, given);
            states = results[1..(States + 1)];
            for (int i = 0; i < slices.Length; i++) slices[i].Add(results[States + 1 + i]);
        }
        return [.. states, .. slices.Where(list => list.Count > 0).Select(list => Slices.Stack(list, 0))];
    }

    /// <summary>Iteration and condition are scalars; a body may declare them as vectors of one element.</summary>
    private Shape ShapeOf(int input) => Body.Inputs[input].Shape is { Rank: 1 } ? [1] : Shape.Scalar;

    /// <summary>How often the body runs where that follows from the trip count alone.</summary>
    private Dim KnownIterations(InferenceContext context)
    {
        if (!context.HasInput(0) || context.InputInts(0) is not [long count]) return Dim.Unknown;
        bool alwaysTrue = !context.HasInput(1) || (context.InputTensor(1) is { ElementCount: 1, Type: ElementType.Bool } first && first.Item<bool>() && KeepsCondition());
        return alwaysTrue ? Math.Max(0, count) : Dim.Unknown;
    }

    /// <summary>True where the body hands its condition on or returns the constant true.</summary>
    private bool KeepsCondition()
    {
        Value condition = Body.Outputs[0];
        while (condition.Producer is { } producer && producer.Is("Identity")) condition = producer.Inputs[0]!;
        return condition == Body.Inputs[1] || (condition is { IsConstant: true, Constant: { ElementCount: 1, Type: ElementType.Bool } constant } && constant.Item<bool>());
    }

    private static long TripCount(Node node, Tensor count)
    {
        node.Expect(count.ElementCount == 1 && count.Type is ElementType.Int64 or ElementType.Int32, $"the trip count is {count}, expected one int64");
        return node.ReadInts(count)[0];
    }

    private static bool Condition(Node node, Tensor condition)
    {
        node.Expect(condition is { Type: ElementType.Bool, ElementCount: 1 }, $"the condition is {condition}, expected one bool");
        return condition.Item<bool>();
    }
}
