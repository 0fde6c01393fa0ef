namespace Fewbit.Graphs.Operators.Control;

/// <summary>Gradients of nodes with bodies: of their inputs, and of the values around the bodies that these read.</summary>
internal static class ControlGradient
{
    /// <summary>An If of the gradients of both branches.</summary>
    public static void OfBranches(GradientContext context, Graph then, Graph otherwise)
    {
        Value[] wanted = [.. then.CapturedValues().Concat(otherwise.CapturedValues()).Distinct().Where(context.Needs)];
        if (wanted.Length == 0) return;
        var attributes = new Attributes { { "then_branch", OfBranch(context, then, wanted) }, { "else_branch", OfBranch(context, otherwise, wanted) } };
        Node node = context.Graph.AddNode("If", [context.Input(0)], attributes, wanted.Length);
        for (int i = 0; i < wanted.Length; i++) context.AddGradient(wanted[i], node.Outputs[i]);
    }

    /// <summary>A loop spelled out: its iterations one after the other.</summary>
    public static void OfUnrolled(GradientContext context, Graph body, Func<IReadOnlyList<Value>> spelling)
    {
        Value[] wanted = [.. context.Node.Inputs.OfType<Value>().Concat(body.CapturedValues()).Distinct().Where(context.Needs)];
        int start = context.Graph.Nodes.Count;
        (Value, Value)[] seeds = Seeds(context, spelling());
        if (wanted.Length == 0 || seeds.Length == 0) return;
        Value?[] gradients = Gradients.Find(context.Graph, seeds, wanted, start);
        for (int i = 0; i < wanted.Length; i++)
        {
            if (gradients[i] is { } gradient) context.AddGradient(wanted[i], gradient);
        }
    }

    private static Graph OfBranch(GradientContext context, Graph branch, Value[] wanted)
    {
        var graph = new Graph($"{branch.Name}/gradient", parent: context.Graph);
        // Of its own, what is not learned too: what a rule appends lands in the graph of the values it is made of.
        Value Inside(Value value) => value is { IsConstant: true, Constant: { } constant } ? graph.AddConstant(value.Name, constant) : graph.AddNode("Identity", [value]).Outputs[0];
        Dictionary<Value, Value> read = wanted.Union(branch.CapturedValues()).ToDictionary(value => value, Inside);
        (Value, Value)[] seeds = [.. Seeds(context, BodyInlining.Inline(branch, graph, read)).Select(pair => (pair.Output.Graph == graph ? pair.Output : Inside(pair.Output), Inside(pair.Seed)))];
        Value?[] gradients = Gradients.Find(graph, seeds, [.. wanted.Select(value => read[value])]);
        for (int i = 0; i < wanted.Length; i++) graph.AddOutput(Inside(gradients[i] ?? read[wanted[i]].Filled(0)));
        return graph;
    }

    private static (Value Output, Value Seed)[] Seeds(GradientContext context, IReadOnlyList<Value> outputs) =>
        [.. outputs.Take(context.Node.Outputs.Count).Select((output, i) => (output, context.OutputGradient(i)!)).Where(pair => pair.Item2 is not null)];
}
