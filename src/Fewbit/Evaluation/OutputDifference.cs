using Fewbit.Tensors;

namespace Fewbit.Evaluation;

/// <summary>How far a tensor lies from its reference, summed over batches in memory of constant size.</summary>
public sealed class OutputDifference
{
    private double _signal, _noise, _dot, _other;

    /// <summary>Numbers compared.</summary>
    public long Count { get; private set; }

    /// <summary>Largest |reference - other|.</summary>
    public double MaxDifference { get; private set; }

    /// <summary>Largest |reference|.</summary>
    public double MaxReference { get; private set; }

    /// <summary>10 log10(sum reference² / sum (reference - other)²) in decibels; infinite where they are equal, NaN where nothing was compared.</summary>
    public double SignalToNoise => Count == 0 ? double.NaN : _noise == 0 ? double.PositiveInfinity : 10 * Math.Log10(_signal / _noise);

    /// <summary>Cosine of the angle between both, -1 to 1; 1 where both are 0.</summary>
    public double Cosine => _signal == 0 && _other == 0 ? 1 : _signal == 0 || _other == 0 ? 0 : _dot / Math.Sqrt(_signal * _other);

    /// <summary>Mean (reference - other)².</summary>
    public double MeanSquaredError => Count == 0 ? double.NaN : _noise / Count;

    /// <summary>Takes in a pair of tensors.</summary>
    public void Add(ReadOnlySpan<float> reference, ReadOnlySpan<float> other)
    {
        if (reference.Length != other.Length) throw new ArgumentException($"{other.Length} numbers are compared with {reference.Length}", nameof(other));
        for (int i = 0; i < reference.Length; i++)
        {
            double a = reference[i], b = other[i], difference = a - b;
            _signal += a * a;
            _other += b * b;
            _dot += a * b;
            _noise += difference * difference;
            MaxDifference = Math.Max(MaxDifference, Math.Abs(difference));
            MaxReference = Math.Max(MaxReference, Math.Abs(a));
        }
        Count += reference.Length;
    }

    /// <summary>Takes in a pair of float32 tensors of one shape.</summary>
    public void Add(Tensor reference, Tensor other)
    {
        if (reference.Shape != other.Shape) throw new ArgumentException($"{other} is compared with {reference}", nameof(other));
        Add(reference.Span<float>(), other.Span<float>());
    }
}
