using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Gradients of an LSTM through time: the inputs of the LSTM, y, the trace that the LSTM left, and the gradients of y and of the last state and cell (or none); outputs the gradients of x, W, R, B, first state, first cell and peepholes.</summary>
/// <param name="Forward">The LSTM.</param>
internal sealed record LstmGradient(Recurrent Forward) : ICompiledOperator, IDifferentiable
{
    public const int Inputs = 8, Output = 8, Trace = 9, Arriving = 10;

    /// <summary>For each output the input of the LSTM that it is the gradient of.</summary>
    private static readonly int[] Differentiated = [0, 1, 2, Recurrent.Bias, Recurrent.InitialHidden, Recurrent.InitialCell, Recurrent.Peepholes];

    public static LstmGradient Parse(Node node) => new(Recurrent.Parse(node, Cell.Lstm));

    /// <summary>The rule of an LSTM: lets it leave its trace, and adds the node that computes all gradients from it.</summary>
    public static void Add(Recurrent forward, GradientContext context)
    {
        (Node node, Graph graph) = (context.Node, context.Graph);
        while (node.Outputs.Count <= Recurrent.LstmTrace) node.AddOutput(graph.AddValue(graph.UniqueName($"{node.Name}/{(node.Outputs.Count == Recurrent.LstmTrace ? "trace" : "state")}")));
        Inference.InferNode(node);
        Value?[] inputs = [.. Enumerable.Range(0, Inputs).Select(node.Input), node.Outputs[0], node.Outputs[Recurrent.LstmTrace], .. Enumerable.Range(0, 3).Select(i => context.OutputGradient(i))];
        var attributes = new Attributes();
        foreach (string name in (string[])["hidden_size", "direction", "activations", "activation_alpha", "activation_beta", "layout", "input_forget"])
        {
            if (node.Attributes.Find(name) is { } value) attributes.Set(name, value);
        }
        Node gradient = graph.InsertNode(graph.Nodes.Count, OperatorTable.FewbitDomain, "LSTMGradient", inputs, attributes, Differentiated.Length);
        for (int i = 0; i < Differentiated.Length; i++)
        {
            if (context.Needs(Differentiated[i])) context.SetInputGradient(Differentiated[i], gradient.Outputs[i]);
        }
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, Arriving + 3);
        ElementType type = context.InputType(0);
        SymbolicShape? x = context.InputShape(0), w = context.InputShape(1), r = context.InputShape(2);
        (Dim directions, Dim hidden, Dim batch) = (Forward.Directions, r is null ? Dim.Unknown : r[2], x is null ? Dim.Unknown : x[Forward.BatchFirst ? 0 : 1]);
        SymbolicShape state = Forward.BatchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
        SymbolicShape?[] shapes = [x, w, r, [directions, hidden * 8], state, state, [directions, hidden * 3]];
        for (int i = 0; i < shapes.Length; i++) context.SetOutput(i, type, shapes[i]);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        RecurrentShape shape = Forward.ShapeOf(context.InputShape(0), context.InputShape(2));
        return context.InputType(0) switch
        {
            ElementType.Float32 => new LstmGradientKernel<float>(Forward, shape),
            ElementType.Float64 => new LstmGradientKernel<double>(Forward, shape),
            var other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        Value?[] own = inputs[..Inputs];
        int[] wanted = [.. Differentiated.Where(index => own[index] is not null)];
        Value[] gradients = CompositeGradient.Of(context.Graph, own, [.. Enumerable.Range(Arriving, 3).Select(i => i < inputs.Length ? inputs[i] : null)], wanted, values => RecurrentSpelling.SpellOut(Forward, context.Node, values));
        return [.. Differentiated.Select(index => Array.IndexOf(wanted, index) is >= 0 and var at ? gradients[at] : null)];
    });
}
