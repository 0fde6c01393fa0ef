using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>Walks up to three broadcast operands in the order of the output's elements, in runs along the innermost dimension.</summary>
/// <remarks>Neighbouring dimensions that every operand steps through alike are merged, so that equal shapes are one run. Innermost dimension first.</remarks>
internal unsafe struct BroadcastLoops
{
    private const int MaxRank = 16;
    private int _rank;
    private fixed long _dims[MaxRank];
    private fixed long _a[MaxRank];
    private fixed long _b[MaxRank];
    private fixed long _c[MaxRank];
    private fixed long _position[MaxRank];

    /// <exception cref="InvalidDataException">More than 16 dimensions remain after merging.</exception>
    public BroadcastLoops(Node node, Shape output, Shape a, Shape b, Shape c = default)
    {
        long stepA = 1, stepB = 1, stepC = 1;
        for (int i = 1; i <= output.Rank; i++)
        {
            long length = output[output.Rank - i];
            long onA = Step(a, i, ref stepA), onB = Step(b, i, ref stepB), onC = Step(c, i, ref stepC);
            if (length == 1) continue;
            if (_rank > 0)
            {
                int last = _rank - 1;
                long inner = _dims[last];
                if (onA == _a[last] * inner && onB == _b[last] * inner && onC == _c[last] * inner)
                {
                    _dims[last] = inner * length;
                    continue;
                }
            }
            node.Expect(_rank < MaxRank, $"broadcasts over more than {MaxRank} dimensions");
            (_dims[_rank], _a[_rank], _b[_rank], _c[_rank]) = (length, onA, onB, onC);
            _rank++;
        }
        if (_rank == 0) (_rank, _dims[0]) = (1, 1);
    }

    /// <summary>One run of operands that lie alike.</summary>
    public BroadcastLoops(long count)
    {
        _rank = 1;
        (_dims[0], _a[0], _b[0], _c[0]) = (count, 1, 1, 1);
    }

    /// <summary>Where the present run starts in each operand.</summary>
    public long A { get; private set; }

    public long B { get; private set; }

    public long C { get; private set; }

    /// <summary>Elements between neighbours of a run: 1, or 0 where the operand is repeated.</summary>
    public readonly long StepA => _a[0];

    public readonly long StepB => _b[0];

    public readonly long StepC => _c[0];

    /// <summary>Elements left in the present run.</summary>
    public readonly long RunLength => _dims[0] - _position[0];

    /// <summary>Moves to an element of the output.</summary>
    public void MoveTo(long element)
    {
        (A, B, C) = (0, 0, 0);
        for (int axis = 0; axis < _rank; axis++)
        {
            (element, long at) = Math.DivRem(element, _dims[axis]);
            _position[axis] = at;
            A += at * _a[axis];
            B += at * _b[axis];
            C += at * _c[axis];
        }
    }

    /// <summary>Moves on by <paramref name="count"/> elements, at most to the end of the run.</summary>
    public void Advance(long count)
    {
        _position[0] += count;
        A += count * _a[0];
        B += count * _b[0];
        C += count * _c[0];
        for (int axis = 0; _position[axis] == _dims[axis] && axis + 1 < _rank; axis++)
        {
            long length = _dims[axis];
            _position[axis] = 0;
            _position[axis + 1]++;
            A += _a[axis + 1] - length * _a[axis];
            B += _b[axis + 1] - length * _b[axis];
            C += _c[axis + 1] - length * _c[axis];
        }
    }

    /// <summary>Elements of a dense operand between neighbours along the dimension that is <paramref name="fromBack"/>-th from the back; 0 where it is repeated.</summary>
    private static long Step(Shape operand, int fromBack, ref long dense)
    {
        if (fromBack > operand.Rank) return 0;
        long length = operand[operand.Rank - fromBack], step = length == 1 ? 0 : dense;
        dense *= length;
        return step;
    }
}
