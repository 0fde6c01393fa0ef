using Fewbit.Graphs.Operators;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Execution;

/// <summary>Where each value lies in the arena.</summary>
/// <param name="Offsets">Byte offset by value, multiples of 64.</param>
/// <param name="ByteCount">Size of the arena.</param>
internal sealed record MemoryLayout(IReadOnlyDictionary<Value, long> Offsets, long ByteCount);

/// <summary>Gives values that are never alive at once the same memory.</summary>
/// <param name="byteCount">Bytes of a value.</param>
/// <param name="isPlaced">Whether a value lies in the arena at all.</param>
internal sealed class MemoryPlanner(Func<Value, long> byteCount, Func<Value, bool> isPlaced)
{
    private const long Alignment = 64;
    private static readonly Comparer<Block> ByOffset = Comparer<Block>.Create((a, b) => a.Offset.CompareTo(b.Offset));
    private readonly Dictionary<Value, Block> _blockOf = [];
    private readonly List<Block> _blocks = [];

    /// <param name="inputs">Alive from the start to the end, so that a run can be repeated on them.</param>
    /// <param name="nodes">In the order they run.</param>
    /// <param name="outputs">Alive to the end.</param>
    /// <param name="isAlias">Whether a node's output is its input under another shape.</param>
    public MemoryLayout Plan(IReadOnlyList<Value> inputs, IReadOnlyList<Node> nodes, IReadOnlyCollection<Value> outputs, Func<Node, bool> isAlias)
    {
        Dictionary<Value, int> lastRead = LastReads(nodes, outputs, isAlias);
        foreach (Value input in inputs) _blockOf[input] = NewBlock(byteCount(input), -1, nodes.Count);
        for (int i = 0; i < nodes.Count; i++) PlaceOutputs(nodes[i], i, lastRead, isAlias);
        Assign();
        return new(_blockOf.ToDictionary(pair => pair.Key, pair => pair.Value.Offset), _blocks.Select(block => block.Offset + block.ByteCount).DefaultIfEmpty(0).Max());
    }

    private void PlaceOutputs(Node node, int index, Dictionary<Value, int> lastRead, Func<Node, bool> isAlias)
    {
        for (int o = 0; o < node.Outputs.Count; o++)
        {
            Value output = node.Outputs[o];
            if (!isPlaced(output)) continue;
            int end = Math.Max(index, lastRead.GetValueOrDefault(output, index));
            Block? shared = o != 0 ? null : isAlias(node) ? _blockOf[node.Inputs[0]!] : Overwritable(node, index, byteCount(output), output);
            _blockOf[output] = shared ?? NewBlock(byteCount(output), index, end);
            _blockOf[output].End = Math.Max(_blockOf[output].End, end);
        }
    }

    /// <summary>The block of an input that ends here and that the operator may overwrite.</summary>
    private Block? Overwritable(Node node, int index, long bytes, Value output)
    {
        if (node.Operator is not IInPlaceOperator inPlace) return null;
        for (int i = 0; i < node.Inputs.Count; i++)
        {
            if (node.Inputs[i] is not { } input || !inPlace.CanOverwrite(i) || !_blockOf.TryGetValue(input, out Block? block)) continue;
            bool isFree = block.Start >= 0 && block.End == index && block.ByteCount == Aligned(bytes) && byteCount(input) == bytes && input.Layout == output.Layout;
            if (isFree && node.Inputs.Count(other => other is not null && _blockOf.GetValueOrDefault(other) == block) == 1) return block;
        }
        return null;
    }

    private Block NewBlock(long bytes, int start, int end)
    {
        var block = new Block { ByteCount = Aligned(bytes), Start = start, End = end };
        _blocks.Add(block);
        return block;
    }

    /// <summary>The last node that reads each value, through views of it too.</summary>
    private static Dictionary<Value, int> LastReads(IReadOnlyList<Node> nodes, IReadOnlyCollection<Value> outputs, Func<Node, bool> isAlias)
    {
        var last = new Dictionary<Value, int>();
        foreach (Value output in outputs) last[output] = nodes.Count;
        for (int i = nodes.Count - 1; i >= 0; i--)
        {
            foreach (Value? input in nodes[i].Inputs)
            {
                if (input is not null) last[input] = Math.Max(last.GetValueOrDefault(input, -1), i);
            }
            foreach (Graph body in nodes[i].Subgraphs())
            {
                foreach (Value captured in body.CapturedValues()) last[captured] = Math.Max(last.GetValueOrDefault(captured, -1), i);
            }
            if (isAlias(nodes[i]))
            {
                Value source = nodes[i].Inputs[0]!;
                last[source] = Math.Max(last[source], last.GetValueOrDefault(nodes[i].Outputs[0], i));
            }
        }
        return last;
    }

    /// <summary>Largest blocks first, each at the lowest free offset among the blocks that live while it does.</summary>
    private void Assign()
    {
        if (Tensor.Allocator is not null)
        {
            SetApart();
            return;
        }
        // Kept in the order of offsets, so that no block sorts those before it.
        var placed = new List<Block>(_blocks.Count);
        foreach (Block block in _blocks.OrderByDescending(block => block.ByteCount).ThenBy(block => block.Start))
        {
            block.Offset = LowestFree(block, placed);
            int at = placed.BinarySearch(block, ByOffset);
            placed.Insert(at < 0 ? ~at : at, block);
        }
    }

    private static long LowestFree(Block block, List<Block> placed)
    {
        long offset = 0;
        foreach (Block other in placed)
        {
            if (other.Start > block.End || block.Start > other.End) continue;
            if (offset + block.ByteCount <= other.Offset) break;
            offset = Math.Max(offset, other.Offset + other.ByteCount);
        }
        return offset;
    }

    /// <summary>No two blocks share memory, so that each can end where its own memory ends.</summary>
    private void SetApart()
    {
        long end = 0;
        foreach (Block block in _blocks) (block.Offset, end) = (end, end + block.ByteCount);
    }

    private static long Aligned(long bytes) => (Math.Max(1, bytes) + Alignment - 1) / Alignment * Alignment;

    private sealed class Block
    {
        public required long ByteCount { get; init; }

        public required int Start { get; init; }

        public required int End { get; set; }

        public long Offset { get; set; }
    }
}
