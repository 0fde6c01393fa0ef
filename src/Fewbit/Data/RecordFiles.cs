using Fewbit.Data.Images;

namespace Fewbit.Data;

/// <summary>CIFAR-10's binary batches: records of one label byte and 32 x 32 pixels as a red, a green and a blue plane.</summary>
internal sealed class CifarBatches : DataSet
{
    internal const int RecordBytes = 3073, Side = 32, Classes = 10;
    private static readonly string[] Names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
    private readonly (string Path, byte[] Data)[] _files;
    private readonly int[] _starts;

    public CifarBatches(IReadOnlyList<string> paths, string source, LabelMap? map)
    {
        _files = [.. paths.Select(path => (path, File.ReadAllBytes(path)))];
        _starts = new int[_files.Length];
        var labels = new List<int>();
        for (int f = 0; f < _files.Length; f++)
        {
            (string path, byte[] data) = _files[f];
            if (data.Length == 0 || data.Length % RecordBytes != 0)
                throw new InvalidDataException($"{path}: has {data.Length} bytes, expected a multiple of {RecordBytes} (CIFAR-10 records); is it truncated?");
            _starts[f] = labels.Count;
            for (int at = 0; at < data.Length; at += RecordBytes)
            {
                int label = data[at], classes = Math.Max(Classes, map?.Names.Count ?? 0);
                if (label >= classes) throw new InvalidDataException($"{path}: record {at / RecordBytes} has label {label}, expected 0 to {classes - 1}: it is not a CIFAR-10 batch; records of more classes need --labels FILE");
                labels.Add(map is not null && label < Classes ? map.Find(Names[label]) ?? label : label);
            }
        }
        (Labels, ClassNames) = (labels, map?.Names ?? Names);
        Description = $"{labels.Count} CIFAR-10 pictures of {source}, {Math.Max(Classes, map?.Names.Count ?? 0)} classes";
    }

    public override string Description { get; }
    public override int Count => Labels.Count;
    public override IReadOnlyList<int> Labels { get; }
    public override IReadOnlyList<string> ClassNames { get; }

    public override Sample Read(int index)
    {
        (int file, int record) = Locate(index);
        ReadOnlySpan<byte> planes = _files[file].Data.AsSpan(record * RecordBytes + 1, RecordBytes - 1);
        var pixels = new byte[planes.Length];
        const int plane = Side * Side;
        for (int i = 0; i < plane; i++)
            (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = (planes[i], planes[plane + i], planes[2 * plane + i]);
        return Sample.Of(new Image(Side, Side, 3, pixels));
    }

    public override string NameOf(int index)
    {
        (int file, int record) = Locate(index);
        return $"{_files[file].Path} record {record}";
    }

    private (int File, int Record) Locate(int index)
    {
        int file = Array.BinarySearch(_starts, index);
        if (file < 0) file = ~file - 1;
        return (file, index - _starts[file]);
    }
}

/// <summary>JPEG files packed one behind another: label (1 byte), length (2 bytes, little-endian), JPEG file.</summary>
internal sealed class JpegPack : DataSet
{
    private const int HeaderBytes = 3;
    private readonly byte[] _data;
    private readonly int[] _starts;
    private readonly string _path;
    private readonly ImageDecoderOptions _images;

    public JpegPack(string path, DataSetOptions options)
    {
        (_path, _images, _data) = (path, options.Images, File.ReadAllBytes(path));
        var starts = new List<int>();
        for (int at = 0; at < _data.Length; at += HeaderBytes + LengthAt(at))
        {
            if (at + HeaderBytes > _data.Length || at + HeaderBytes + LengthAt(at) > _data.Length)
                throw new InvalidDataException($"{path}: is truncated: record {starts.Count} at byte {at} does not fit into the {_data.Length} bytes");
            starts.Add(at);
        }
        _starts = [.. starts];
        Labels = [.. _starts.Select(start => (int)_data[start])];
        ClassNames = options.Labels?.Names;
        Description = $"{Count} JPEG pictures packed in {path}, {ClassLabels.Plural(Labels.Distinct().Count(), "class", "classes")}";
    }

    public override string Description { get; }
    public override int Count => _starts.Length;
    public override IReadOnlyList<int> Labels { get; }
    public override IReadOnlyList<string>? ClassNames { get; }

    public override Sample Read(int index) =>
        Sample.Of(ImageDecoder.Decode(_data.AsSpan(_starts[index] + HeaderBytes, LengthAt(_starts[index])), NameOf(index), _images));

    public override string NameOf(int index) => $"{_path} record {index}";

    /// <summary>True where the first record holds the start of a JPEG file.</summary>
    public static bool Matches(ReadOnlySpan<byte> start) => start.Length >= 6 && start[3] == 0xFF && start[4] == 0xD8 && start[5] == 0xFF;

    private int LengthAt(int at) => at + HeaderBytes > _data.Length ? 0 : _data[at + 1] | _data[at + 2] << 8;
}
