using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Walks two broadcast operands in the order of the output's elements.</summary>
internal ref struct BroadcastWalk
{
    private readonly ReadOnlySpan<long> _dims;
    private readonly long[] _stepsA;
    private readonly long[] _stepsB;
    private readonly long[] _position;

    public BroadcastWalk(Shape output, Shape a, Shape b)
    {
        _dims = output.Dims;
        (_stepsA, _stepsB, _position) = (Steps(output, a), Steps(output, b), new long[output.Rank]);
    }

    /// <summary>Element of the first operand.</summary>
    public long A { get; private set; }

    /// <summary>Element of the second operand.</summary>
    public long B { get; private set; }

    public void Next()
    {
        for (int axis = _dims.Length - 1; axis >= 0; axis--)
        {
            A += _stepsA[axis];
            B += _stepsB[axis];
            if (++_position[axis] < _dims[axis]) return;
            A -= _stepsA[axis] * _dims[axis];
            B -= _stepsB[axis] * _dims[axis];
            _position[axis] = 0;
        }
    }

    /// <summary>Elements to move in an operand for a step along each dimension of the output; 0 where it is broadcast.</summary>
    public static long[] Steps(Shape output, Shape operand)
    {
        var steps = new long[output.Rank];
        long[] own = operand.Strides();
        for (int i = 1; i <= operand.Rank; i++) steps[^i] = operand[operand.Rank - i] == 1 ? 0 : own[^i];
        return steps;
    }
}
