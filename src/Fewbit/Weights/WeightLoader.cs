using Fewbit.Data;
using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Weights;

/// <summary>Puts tensors from a file into the constants of a graph.</summary>
/// <remarks>A graph's weights are its real constants of one and more dimensions; a file's tensors keep the graph's layout: a MatMul's weight is [inputs, outputs], a Gemm's as its transB says.</remarks>
public static class WeightLoader
{
    private const int Shown = 5;
    private const string Counter = "num_batches_tracked";

    /// <summary>The weights of a graph by name, in the order in which its layers were written.</summary>
    public static IReadOnlyDictionary<string, Tensor> WeightsOf(Graph graph)
    {
        ArgumentNullException.ThrowIfNull(graph);
        return Constants(graph).ToDictionary(value => value.Name, value => value.Constant!, StringComparer.Ordinal);
    }

    /// <summary>Sets a graph's weights to copies of the tensors, converted to the weights' type where only rounding is lost. Either all are set or none.</summary>
    /// <param name="graph">Changed in place.</param>
    /// <param name="weights">Tensors by name, as <see cref="WeightFile.Read"/> gives them; PyTorch's counters (num_batches_tracked) are left out.</param>
    /// <param name="source">Where the tensors come from, for messages.</param>
    /// <param name="options">Null for the defaults.</param>
    /// <returns>The number of weights that were set.</returns>
    /// <exception cref="InvalidDataException">They do not fit: the message lists what is missing, unexpected, and of another shape.</exception>
    public static int Load(Graph graph, IReadOnlyDictionary<string, Tensor> weights, string source = "the weights", WeightLoaderOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(graph);
        ArgumentNullException.ThrowIfNull(weights);
        options ??= new();
        Value[] constants = [.. Constants(graph)];
        (string Name, Tensor Tensor)[] given = [.. weights.Where(pair => pair.Key.StartsWith(options.Prefix, StringComparison.Ordinal) && !IsCounter(pair.Key)).Select(pair => (pair.Key[options.Prefix.Length..], pair.Value))];
        (Value, Tensor)[] pairs = options.Matching == WeightMatching.ByOrder ? MatchByOrder(constants, given, graph, source) : MatchByName(constants, given, graph, source, options.IsPartial);
        (Value Constant, Tensor Tensor)[] converted = [.. pairs.Select(pair => (pair.Item1, Convert(pair.Item2, pair.Item1.Constant!.Type)))];
        foreach ((Value constant, Tensor tensor) in converted) constant.SetConstant(tensor);
        return converted.Length;
    }

    private static IEnumerable<Value> Constants(Graph graph) => graph.Constants.Where(value => value.Constant is { Rank: > 0 } constant && IsReal(constant.Type) && value.Uses.Count > 0);

    private static (Value, Tensor)[] MatchByName(Value[] constants, (string Name, Tensor Tensor)[] given, Graph graph, string source, bool isPartial)
    {
        Dictionary<string, Tensor> byName = given.ToDictionary(pair => pair.Name, pair => pair.Tensor, StringComparer.Ordinal);
        string[] missing = isPartial ? [] : [.. constants.Select(constant => constant.Name).Where(name => !byName.ContainsKey(name))];
        string[] unexpected = isPartial ? [] : [.. byName.Keys.Except(constants.Select(constant => constant.Name), StringComparer.Ordinal)];
        (Value Constant, Tensor Tensor)[] pairs = [.. constants.Where(constant => byName.ContainsKey(constant.Name)).Select(constant => (constant, byName[constant.Name]))];
        string[] wrong = [.. pairs.Where(pair => !Fits(pair.Tensor, pair.Constant)).Select(pair => $"{pair.Constant.Name}: {pair.Tensor}, expected {pair.Constant.Constant}")];
        if (missing.Length + unexpected.Length + wrong.Length == 0 && pairs.Length > 0) return pairs;
        string[] problems = [.. new[] { List(missing, "missing"), List(unexpected, "unexpected"), List(wrong, "of another type or shape") }.Where(text => text.Length > 0)];
        throw new InvalidDataException($"{source}: does not fit '{graph.Name}' of {constants.Length} weights: {(problems.Length > 0 ? string.Join("; ", problems) : "no name is the same")}{Repair(pairs.Length, missing, unexpected, given.Length == constants.Length)}");
    }

    private static (Value, Tensor)[] MatchByOrder(Value[] constants, (string Name, Tensor Tensor)[] given, Graph graph, string source)
    {
        for (int i = 0; i < Math.Min(constants.Length, given.Length); i++)
        {
            if (!Fits(given[i].Tensor, constants[i]))
                throw new InvalidDataException($"{source}: does not fit '{graph.Name}' by order: tensor {i}, '{Printable.Of(given[i].Name)}', is {given[i].Tensor}, weight {i}, '{constants[i].Name}', is {constants[i].Constant}");
        }
        if (constants.Length != given.Length) throw new InvalidDataException($"{source}: does not fit '{graph.Name}' by order: it has {given.Length} tensors, the graph {constants.Length} weights");
        return [.. constants.Zip(given, (constant, pair) => (constant, pair.Tensor))];
    }

    private static bool Fits(Tensor tensor, Value constant) => tensor.Shape == constant.Constant!.Shape && (tensor.Type == constant.Constant.Type || IsReal(tensor.Type) && constant.Constant.Type == ElementType.Float32);

    private static bool IsReal(ElementType type) => type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16 or ElementType.Float64;

    private static bool IsCounter(string name) => name == Counter || name.EndsWith("." + Counter, StringComparison.Ordinal);

    private static Tensor Convert(Tensor tensor, ElementType type)
    {
        if (tensor.Type == type) return tensor.Copy();
        Tensor converted = Tensor.AllocateUninitialized(type, tensor.Shape);
        if (tensor.Type == ElementType.BFloat16)
        {
            Span<float> target = converted.Span<float>();
            ReadOnlySpan<BFloat16> values = tensor.Span<BFloat16>();
            for (int i = 0; i < target.Length; i++) target[i] = (float)values[i];
        }
        else TensorConversion.Copy(tensor, converted);
        return converted;
    }

    private static string List(string[] names, string what) => names.Length == 0 ? ""
        : $"{names.Length} {what} ({string.Join(", ", names.Take(Shown).Select(name => Printable.Of(name)))}{(names.Length > Shown ? ", ..." : "")})";

    /// <summary>A prefix that would make names equal, or that the order may do, where that is plain.</summary>
    private static string Repair(int equalNames, string[] missing, string[] unexpected, bool sameCount)
    {
        if (equalNames > 0 || missing.Length == 0) return "";
        string? prefixed = unexpected.FirstOrDefault(name => name.EndsWith("." + missing[0], StringComparison.Ordinal));
        if (prefixed is not null) return $"; the names in the file have the prefix '{Printable.Of(prefixed[..^missing[0].Length])}'";
        return sameCount ? "; the numbers are the same: match by order if the layers are in the same order" : "";
    }
}
