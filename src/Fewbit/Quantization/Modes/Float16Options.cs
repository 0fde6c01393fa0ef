namespace Fewbit.Quantization;

/// <summary>What <see cref="Quantizer.Float16"/> is to do.</summary>
public sealed record Float16Options
{
    /// <summary>Operators and nodes that stay in float32, by operator type or node name, beside those that have no float16 form.</summary>
    public IReadOnlyCollection<string> KeepInFloat { get; init; } = [];

    /// <summary>Whether inputs and outputs of the model stay float32. Default: true.</summary>
    public bool KeepInputsAndOutputs { get; init; } = true;

    /// <summary>Largest |x| of values that calibration saw, by name; what leaves float16 stays float32. Null: only constants are checked.</summary>
    public IReadOnlyDictionary<string, float>? LargestValues { get; init; }
}
