using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX Einsum: products of the inputs' elements summed over the subscripts that the output does not name.</summary>
/// <remarks>Computed by its definition, term by term: a rare operator that exporters use for products which MatMul would do.</remarks>
/// <param name="Terms">Subscripts of each input; '.' stands for a broadcast dimension of the ellipsis.</param>
/// <param name="Result">Subscripts of the output.</param>
internal sealed record Einsum(string[] Terms, string Result) : ICompiledOperator, IDifferentiable
{
    private const string Ellipsis = "...";

    public static Einsum Parse(Node node)
    {
        string equation = node.String("equation").Replace(" ", "", StringComparison.Ordinal);
        string[] sides = equation.Split("->");
        string[] terms = sides[0].Split(',');
        bool isWellFormed = sides.Length <= 2 && Array.TrueForAll([.. terms, sides[^1]], term => IsTerm(sides.Length == 1 && term == sides[^1] ? "" : term));
        node.Expect(isWellFormed, $"equation is '{equation}', expected letters, commas, '...' and one '->'");
        return new(terms, sides.Length == 2 ? sides[1] : Implicit(terms));
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(Terms.Length, Terms.Length);
        int[] all = [.. Enumerable.Range(0, Terms.Length)];
        ElementType type = context.ExpectOneType(all);
        if (all.Any(index => context.InputShape(index) is null))
        {
            context.SetOutput(0, type, null);
            return;
        }
        var lengths = new Dictionary<string, Dim>();
        int broadcast = all.Max(index => Broadcast(Terms[index], context.InputShape(index)!.Rank));
        foreach (int index in all) Collect(context.Node, Terms[index], context.InputShape(index)!, broadcast, lengths);
        List<string> result = Labels(Result, broadcast, broadcast);
        foreach (string label in result) context.Node.Expect(lengths.ContainsKey(label), $"its output names '{label}', which no input has");
        context.SetOutput(0, type, new([.. result.Select(label => lengths[label])]));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) KernelOf(context.Node, [.. Enumerable.Range(0, Terms.Length).Select(i => context.Input(i).Shape)]).Run(context);
    }

    public IKernel? Compile(CompilationContext context) =>
        Converted.IsHalf(context.InputType(0)) ? null : KernelOf(context.Node, [.. Enumerable.Range(0, Terms.Length).Select(context.InputShape)]);

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        int[] ranks = [.. Enumerable.Range(0, Terms.Length).Select(i => context.Node.KnownRank(context.Input(i)))];
        int broadcast = Enumerable.Range(0, Terms.Length).Max(i => Broadcast(Terms[i], ranks[i]));
        List<string>[] labels = [.. Terms.Select((term, i) => Labels(term, Broadcast(term, ranks[i]), broadcast))];
        new EinsumGradient(context, labels, Labels(Result, broadcast, broadcast)).Apply(gradient);
    }

    private EinsumKernel KernelOf(Node node, Shape[] shapes)
    {
        var lengths = new Dictionary<string, Dim>();
        int broadcast = Enumerable.Range(0, Terms.Length).Max(i => Broadcast(Terms[i], shapes[i].Rank));
        for (int i = 0; i < Terms.Length; i++) Collect(node, Terms[i], SymbolicShape.From(shapes[i]), broadcast, lengths);
        List<string> result = Labels(Result, broadcast, broadcast);
        // Output dimensions first, so that the sums of one element follow each other.
        string[] order = [.. result, .. lengths.Keys.Where(label => !result.Contains(label))];
        long[][] steps = [.. shapes.Select((shape, i) => Steps(order, Labels(Terms[i], Broadcast(Terms[i], shape.Rank), broadcast), shape))];
        return new([.. order.Select(label => lengths[label].Length)], steps, result.Count);
    }

    /// <summary>How far each label moves in an input.</summary>
    private static long[] Steps(string[] order, List<string> labels, Shape shape)
    {
        var steps = new long[order.Length];
        long[] own = shape.Strides();
        for (int axis = 0; axis < labels.Count; axis++)
        {
            if (shape[axis] != 1) steps[Array.IndexOf(order, labels[axis])] += own[axis];
        }
        return steps;
    }

    private static bool IsTerm(string term) => term.Replace(Ellipsis, "", StringComparison.Ordinal).All(char.IsAsciiLetter) && term.Split(Ellipsis).Length <= 2;

    /// <summary>Without an arrow: the ellipsis, then every letter that is there once, in alphabetical order.</summary>
    private static string Implicit(string[] terms)
    {
        string all = string.Concat(terms);
        string letters = string.Concat(all.Where(char.IsAsciiLetter).GroupBy(letter => letter).Where(group => group.Count() == 1).Select(group => group.Key).Order());
        return (all.Contains('.', StringComparison.Ordinal) ? Ellipsis : "") + letters;
    }

    /// <summary>Dimensions that the ellipsis of a term stands for.</summary>
    private static int Broadcast(string term, int rank) => term.Contains('.', StringComparison.Ordinal) ? rank - (term.Length - Ellipsis.Length) : 0;

    /// <summary>One label a dimension; the ellipsis is numbered so that dimensions align at the back.</summary>
    private static List<string> Labels(string term, int own, int most)
    {
        var labels = new List<string>();
        for (int i = 0; i < term.Length; i++)
        {
            if (term[i] != '.')
            {
                labels.Add(term[i].ToString());
                continue;
            }
            for (int j = 0; j < own; j++) labels.Add($".{most - own + j}");
            i += Ellipsis.Length - 1;
        }
        return labels;
    }

    private static void Collect(Node node, string term, SymbolicShape shape, int broadcast, Dictionary<string, Dim> lengths)
    {
        int own = Broadcast(term, shape.Rank);
        List<string> labels = own < 0 ? [] : Labels(term, own, broadcast);
        node.Expect(own >= 0 && labels.Count == shape.Rank, $"names '{term}' for an input of shape {shape}");
        for (int axis = 0; axis < labels.Count; axis++)
        {
            Dim known = lengths.GetValueOrDefault(labels[axis], 1), length = shape[axis];
            bool repeats = known == 1 || length == 1;
            node.Expect(repeats || known.MayEqual(length), $"dimension '{labels[axis]}' is {known} in one input and {length} in another");
            lengths[labels[axis]] = known == 1 ? length : length == 1 ? known : known.Or(length);
        }
    }
}
