using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Operators;

/// <summary>GroupQueryAttention and its gradients in float32 beside the softmax written out in float64.</summary>
public sealed class GroupQueryGradientTests
{
    private const int Batch = 2, Length = 4, Heads = 4, KeyHeads = 2, Size = 4;

    // The second item ends before its last place.
    private static readonly long[] LastPlaces = [3, 2];

    [Theory]
    [InlineData(-1, 0)]
    [InlineData(2, 1.5f)]
    public void Gradient_KeysOfTheirOwn_EqualsTheSoftmax(int window, float softCap) => FloatGradientCheck.Run(
        v => v[0].Type == ElementType.Float32 ? Node([v[0], v[1], v[2]], window, softCap, null, null, null) : Softmax(Split(v[0], 0, Heads), Split(v[1], 0, KeyHeads), Split(v[2], 0, KeyHeads), window, softCap, null, null),
        1e-4, Random(1, Batch, Length, Heads * Size), Random(2, Batch, Length, KeyHeads * Size), Random(3, Batch, Length, KeyHeads * Size));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Gradient_PackedAndTurned_EqualsTheSoftmax(int interleaved) => FloatGradientCheck.Run(
        v =>
        {
            Value Angles(int seed) => Constant(v[0], Random(seed, 6, 1));
            if (v[0].Type == ElementType.Float32) return Node([v[0], null, null], -1, 0, (Angles(7), Angles(8), interleaved), null, null);
            Value Turned(Value x) => x.Apply("com.microsoft", "RotaryEmbedding", new() { { "interleaved", interleaved }, { "num_heads", 1 }, { "rotary_embedding_dim", 2 } }, v[0].Graph.AddConstant("place", Tensor.From(0L)), Angles(7), Angles(8));
            return Softmax(Turned(Split(v[0], 0, Heads)), Turned(Split(v[0], Heads, KeyHeads)), Split(v[0], Heads + KeyHeads, KeyHeads), -1, 0, null, null);
        }, 1e-4, Random(4, Batch, Length, (Heads + 2 * KeyHeads) * Size));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradient_BiasAndSinks_EqualsTheSoftmax(bool statesSinks) => FloatGradientCheck.Run(
        v => v[0].Type == ElementType.Float32 ? Node([v[0], v[1], v[2]], -1, 0, null, v[3], statesSinks ? v[4] : null)
            : Softmax(Split(v[0], 0, Heads), Split(v[1], 0, KeyHeads), Split(v[2], 0, KeyHeads), -1, 0, v[3], statesSinks ? v[4] : v[4].Filled(0)),
        1e-4, Random(1, Batch, Length, Heads * Size), Random(2, Batch, Length, KeyHeads * Size), Random(3, Batch, Length, KeyHeads * Size), Random(5, 1, Heads, Length, Length), Random(6, Heads));

    [Fact]
    public void Gradient_WithEarlierKeys_SaysWhatItNeeds()
    {
        var graph = new Graph(opset: 21);
        Value q = graph.AddInput("q", ElementType.Float32, [1, 1, 8]), past = graph.AddInput("past", ElementType.Float32, [1, 1, 3, 4]);
        Value Ints(int number) => graph.AddConstant("n", Tensor.From(number));
        Value y = graph.InsertNode(0, "com.microsoft", "GroupQueryAttention", [q, q.Slice(2, 0, 4), q.Slice(2, 4, 8), past, past, Ints(3), Ints(4)], new() { { "num_heads", 2 }, { "kv_num_heads", 1 } }, 1, "gqa").Outputs[0];
        Assert.Contains("GroupQueryAttention 'gqa': its gradient rule needs all 1 keys to be new", Assert.Throws<InvalidDataException>(() => Gradients.Of(y, [q])).Message, StringComparison.Ordinal);
    }

    private static Value[] Node(Value?[] queryKeyValue, int window, float softCap, (Value Cosines, Value Sines, int Interleaved)? rotary, Value? bias, Value? sinks)
    {
        Graph graph = queryKeyValue[0]!.Graph;
        var attributes = new Attributes { { "num_heads", Heads }, { "kv_num_heads", KeyHeads }, { "local_window_size", window }, { "softcap", softCap }, { "do_rotary", rotary is null ? 0 : 1 }, { "rotary_interleaved", rotary?.Interleaved ?? 0 }, { "smooth_softmax", bias is null ? 0 : 1 } };
        Value last = graph.AddConstant("last", Tensor.From((int)LastPlaces[0], (int)LastPlaces[1])), total = graph.AddConstant("total", Tensor.From(Length));
        return [.. graph.InsertNode(graph.Nodes.Count, "com.microsoft", "GroupQueryAttention", [.. queryKeyValue, null, null, last, total, rotary?.Cosines, rotary?.Sines, null, bias, sinks], attributes, 3).Outputs];
    }

    /// <summary>e^score over its sum, which the exponential of a sink joins.</summary>
    private static Value[] Softmax(Value q, Value k, Value v, int window, float softCap, Value? bias, Value? sinks)
    {
        Tensor visible = Tensor.Allocate(ElementType.Float64, [Batch, 1, Length, Length]);
        for (int i = 0; i < visible.ElementCount; i++)
        {
            (int n, int query, int key) = (i / (Length * Length), i / Length % Length, i % Length);
            visible.Span<double>()[i] = key <= query && key <= LastPlaces[n] && (window < 0 || query - key < window) ? 1 : 0;
        }
        Value Shared(Value heads) => heads.Apply("Gather", new Attributes { { "axis", 1 } }, heads.Graph.AddConstant("shared", Tensor.From(0L, 0, 1, 1)));
        Value scores = q.MatMul(Shared(k).Apply("Transpose", new Attributes { { "perm", new long[] { 0, 1, 3, 2 } } })) * q.Scalar(1 / Math.Sqrt(Size));
        if (softCap > 0) scores = (scores * q.Scalar(1 / softCap)).Apply("Tanh") * q.Scalar(softCap);
        if (bias is not null) scores += bias;
        Value exponentials = scores.Apply("Exp") * Constant(q, visible), sum = exponentials.Apply("ReduceSum", q.Graph.AddConstant("axis", Tensor.From(3L)));
        if (sinks is not null) sum += sinks.Apply("Exp").Reshape(1, Heads, 1, 1);
        Value y = (exponentials / sum).MatMul(Shared(v));
        return [y.Apply("Transpose", new Attributes { { "perm", new long[] { 0, 2, 1, 3 } } }).Reshape(Batch, Length, Heads * Size), k, v];
    }

    private static Value Split(Value rows, int firstHead, int heads) =>
        rows.Slice(2, firstHead * Size, (firstHead + heads) * Size).Reshape(Batch, Length, heads, Size).Apply("Transpose", new Attributes { { "perm", new long[] { 0, 2, 1, 3 } } });

    private static Value Constant(Value like, Tensor tensor) => like.Graph.AddConstant("c", like.Type == ElementType.Float64 ? tensor : FloatGradientCheck.Narrow(tensor));

    private static Tensor Random(int seed, params long[] lengths) => GradientCheck.Random(new(lengths), seed);
}
