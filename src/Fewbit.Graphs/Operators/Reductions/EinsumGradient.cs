namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>Gradient of one factor of an Einsum: the Einsum of what arrives and the other factors. Labels that only the factor has are spread by ones, labels that it repeats by the identity.</summary>
/// <param name="Context">The node's context.</param>
/// <param name="Inputs">Labels of each input, one a dimension.</param>
/// <param name="Result">Labels of the output.</param>
internal sealed record EinsumGradient(GradientContext Context, List<string>[] Inputs, List<string> Result)
{
    private readonly Dictionary<string, char> _letters = [];
    private int _repetitions;

    public void Apply(Value gradient)
    {
        for (int i = 0; i < Inputs.Length; i++)
        {
            if (Context.Needs(i)) Context.SetInputGradient(i, Of(i, gradient));
        }
    }

    private Value Of(int index, Value gradient)
    {
        Value x = Context.Input(index);
        var factors = new List<Value> { gradient };
        var terms = new List<string> { Term(Result) };
        for (int other = 0; other < Inputs.Length; other++)
        {
            if (other == index) continue;
            factors.Add(Context.Input(other));
            terms.Add(Term(Inputs[other]));
        }
        var own = new List<string>();
        foreach (string label in Inputs[index])
        {
            bool isRepeated = own.Contains(label), isAlone = !isRepeated && !terms.Exists(term => term.Contains(Letter(label), StringComparison.Ordinal));
            int axis = own.Count, length = isRepeated || isAlone ? Context.Node.KnownLength(x, axis) : 0;
            own.Add(isRepeated ? $"{label}/{++_repetitions}" : label);
            if (!isRepeated && !isAlone) continue;
            factors.Add(isRepeated ? Identity(x, length) : x.Numbers("ones", [length], [.. Enumerable.Repeat(1f, length)]));
            terms.Add(isRepeated ? Term([label, own[axis]]) : Term([label]));
        }
        string equation = $"{string.Join(',', terms)}->{Term(own)}";
        // A dimension of length 1 may have met longer ones.
        return Context.Graph.AddNode("Einsum", factors, new() { { "equation", equation } }).Outputs[0].SumToShapeOf(x);
    }

    private static Value Identity(Value x, int length)
    {
        float[] diagonal = [.. Enumerable.Range(0, length * length).Select(i => i % (length + 1) == 0 ? 1f : 0f)];
        return x.Numbers("identity", [length, length], diagonal);
    }

    private string Term(IEnumerable<string> labels) => string.Concat(labels.Select(Letter));

    private char Letter(string label)
    {
        if (_letters.TryGetValue(label, out char letter)) return letter;
        Context.Node.Expect(_letters.Count < 52, $"has more than 52 labels, which its gradient rule cannot name");
        return _letters[label] = (char)(_letters.Count < 26 ? 'a' + _letters.Count : 'A' + _letters.Count - 26);
    }
}
