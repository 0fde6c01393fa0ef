using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX Einsum: products of the inputs' elements summed over the subscripts that the output does not name.</summary>
/// <remarks>Computed by its definition, term by term: a rare operator that exporters use for products which MatMul would do.</remarks>
/// <param name="Terms">Subscripts of each input; '.' stands for a broadcast dimension of the ellipsis.</param>
/// <param name="Result">Subscripts of the output.</param>
internal sealed record Einsum(string[] Terms, string Result) : IDifferentiable
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
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Number(context.Node, context.Output(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        int[] ranks = [.. Enumerable.Range(0, Terms.Length).Select(i => context.Node.KnownRank(context.Input(i)))];
        int broadcast = Enumerable.Range(0, Terms.Length).Max(i => Broadcast(Terms[i], ranks[i]));
        List<string>[] labels = [.. Terms.Select((term, i) => Labels(term, Broadcast(term, ranks[i]), broadcast))];
        new EinsumGradient(context, labels, Labels(Result, broadcast, broadcast)).Apply(gradient);
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

    private readonly struct Action(EvaluationContext context, Einsum einsum) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            string[] terms = einsum.Terms;
            Tensor[] inputs = [.. Enumerable.Range(0, terms.Length).Select(context.Input)];
            var lengths = new Dictionary<string, Dim>();
            int broadcast = Enumerable.Range(0, terms.Length).Max(i => Broadcast(terms[i], inputs[i].Rank));
            for (int i = 0; i < terms.Length; i++) Collect(context.Node, terms[i], SymbolicShape.From(inputs[i].Shape), broadcast, lengths);
            List<string> result = Labels(einsum.Result, broadcast, broadcast);
            // Output dimensions first, so that the sums of one element follow each other.
            string[] order = [.. result, .. lengths.Keys.Where(label => !result.Contains(label))];
            long[] dims = [.. order.Select(label => lengths[label].Length)];
            long[][] steps = [.. inputs.Select((input, i) => Steps(order, Labels(terms[i], Broadcast(terms[i], input.Rank), broadcast), input.Shape))];
            Sum<T>(inputs, dims, steps, dims.Length - result.Count);
        }

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

        private void Sum<T>(Tensor[] inputs, long[] dims, long[][] steps, int summed) where T : unmanaged, INumber<T>
        {
            Span<T> y = context.Output(0).Span<T>();
            long terms = new Shape(dims).CountOf(dims.Length - summed, dims.Length);
            var position = new long[dims.Length];
            var at = new long[inputs.Length];
            for (int i = 0; i < y.Length; i++)
            {
                T sum = T.Zero;
                for (long term = 0; term < terms; term++)
                {
                    T product = T.One;
                    for (int k = 0; k < inputs.Length; k++) product *= inputs[k].Span<T>()[(int)at[k]];
                    sum += product;
                    Next(dims, steps, position, at);
                }
                y[i] = sum;
            }
        }

        private static void Next(long[] dims, long[][] steps, long[] position, long[] at)
        {
            for (int axis = dims.Length - 1; axis >= 0; axis--)
            {
                bool isEnd = ++position[axis] == dims[axis];
                for (int k = 0; k < at.Length; k++) at[k] += isEnd ? -steps[k][axis] * (dims[axis] - 1) : steps[k][axis];
                if (!isEnd) return;
                position[axis] = 0;
            }
        }
    }
}
